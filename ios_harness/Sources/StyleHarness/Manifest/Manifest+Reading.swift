import Foundation

extension Manifest {
    /// The version of the schema that is read here.
    public static let currentVersion = 4
    /// Its name in an artifact directory.
    public static let fileName = "manifest.json"

    /// Return the manifest that some bytes hold.
    ///
    /// - Throws: `ContractError` where they are no manifest, or one of another schema version.
    public init(json: Data) throws {
        let root = JSONNode(value: try JSONParser.value(of: json), path: "$")
        try root.checkVersion(Self.currentVersion, of: "manifest")
        try self.init(reading: root)
        try checkPaths()
    }

    /// Path → sha256 of every file that the manifest speaks of.
    public var knownPaths: [String: String] {
        var known: [String: String] = [:]
        files.forEach { known[$0.path] = $0.sha256 }
        programs.forEach { known[$0.path] = $0.sha256 }
        probes.forEach { known[$0.path] = $0.sha256 }
        recipes.forEach { known[$0.path] = $0.sha256 }
        styles.forEach { known[$0.path] = $0.sha256 }
        return known
    }

    /// Refuse paths that lead out of the artifact, which their pattern alone does not.
    private func checkPaths() throws {
        let lists: [(String, [String])] = [
            ("files", files.map(\.path)), ("programs", programs.map(\.path)),
            ("probes", probes.map(\.path)), ("recipes", recipes.map(\.path)),
            ("styles", styles.map(\.path)),
        ]
        for (name, paths) in lists {
            for (index, path) in paths.enumerated() {
                try ArtifactPath.check(path, at: "$.\(name)[\(index)].path")
            }
        }
    }
}
