import Foundation

/// The artifacts that an app holds: those of its bundle, and those that were imported.
public struct ArtifactShelf: Sendable {
    private let bundled: URL?
    private let imported: URL

    /// - Parameters:
    ///   - bundled: folder of artifacts in the app's bundle.
    ///   - imported: folder that imports are copied into.
    public init(bundled: URL?, imported: URL) {
        self.bundled = bundled
        self.imported = imported
    }

    /// Return all artifacts that can be read, those of the bundle first.
    public func artifacts() -> [Artifact] {
        [bundled, imported].compactMap { $0 }.flatMap { shelf in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: shelf.path)) ?? []
            return names.filter { !$0.hasPrefix(".") }.sorted().compactMap {
                try? Artifact(folder: shelf.appending(path: $0))
            }
        }
    }

    /// Copy an artifact onto the shelf, checked, whole or not at all; one of its name is replaced.
    public func add(_ source: URL) throws -> Artifact {
        let files = FileManager.default
        let part = imported.appending(path: ".\(UUID().uuidString).part")
        try files.createDirectory(at: imported, withIntermediateDirectories: true)
        defer { try? files.removeItem(at: part) }
        try files.copyItem(at: source, to: part)
        try Artifact(folder: part).check(where: ArtifactShelf.isNeeded)
        let target = imported.appending(path: source.lastPathComponent)
        if files.fileExists(atPath: target.path) {
            try files.removeItem(at: target)
        }
        try files.moveItem(at: part, to: target)
        return try Artifact(folder: target)
    }

    /// Whether an app on this system needs a file: packages, probes and styles, nothing else.
    public static func isNeeded(_ path: String) -> Bool {
        path.hasSuffix(".mlpackage") || path.hasSuffix(".safetensors")
    }
}
