import Foundation

/// The artifacts that an app can use: the bundled ones and the imported ones.
public struct ArtifactStore: Sendable {
    private let bundled: URL?
    private let imported: URL

    /// - Parameters:
    ///   - bundled: folder of artifacts in the app's bundle.
    ///   - imported: folder that imports are copied into.
    public init(bundled: URL?, imported: URL) {
        self.bundled = bundled
        self.imported = imported
    }

    /// Return all readable artifacts, bundled ones first.
    public func artifacts() -> [Artifact] {
        [bundled, imported].compactMap { $0 }.flatMap { folder in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            return names.filter { !$0.hasPrefix(".") }.sorted().compactMap {
                try? Artifact(folder: folder.appending(path: $0))
            }
        }
    }

    /// Import an artifact: copy, verify, then replace any artifact of the same name.
    ///
    /// - Throws: `ArtifactError` if a file is missing or altered; the store is then unchanged.
    public func add(_ source: URL) throws -> Artifact {
        let files = FileManager.default
        let partial = imported.appending(path: ".\(UUID().uuidString).part")
        try files.createDirectory(at: imported, withIntermediateDirectories: true)
        defer { try? files.removeItem(at: partial) }
        try files.copyItem(at: source, to: partial)
        try Artifact(folder: partial).check(where: Self.isNeeded)
        let target = imported.appending(path: source.lastPathComponent)
        if files.fileExists(atPath: target.path) {
            try files.removeItem(at: target)
        }
        try files.moveItem(at: partial, to: target)
        return try Artifact(folder: target)
    }

    /// Whether an app on an Apple system needs a file: packages, probes and style packs. A style
    /// without its thumbnail is shown by name.
    public static func isNeeded(_ path: String) -> Bool {
        [".mlpackage", ".aimodel", ".safetensors"].contains { path.hasSuffix($0) }
    }
}
