import Foundation

/// An artifact directory: its manifest, and where its files lie.
public struct Artifact: Hashable, Sendable {
    public let folder: URL
    public let manifest: Manifest

    /// Read the manifest of a folder; the files are looked at by `check`.
    ///
    /// - Throws: `ArtifactError` where there is none, or it is not what its schema says.
    public init(folder: URL) throws {
        let url = folder.appending(path: Manifest.fileName)
        guard let data = try? Data(contentsOf: url) else {
            throw ArtifactError(
                "\(folder.lastPathComponent) is not an artifact: expected a folder with a "
                    + Manifest.fileName
            )
        }
        do {
            manifest = try Manifest(json: data)
        } catch {
            throw ArtifactError("\(Manifest.fileName) of \(folder.lastPathComponent): \(error)")
        }
        self.folder = folder
    }

    /// Its name, that of the folder.
    public var name: String { folder.lastPathComponent }

    /// Return where one of its files lies.
    public func url(of path: String) -> URL {
        folder.appending(path: path)
    }

    /// Refuse files that are missing, or are not those of the manifest by size or sha256.
    ///
    /// - Parameter isNeeded: which paths must be there; an app needs no captured programs.
    public func check(where isNeeded: (String) -> Bool = { _ in true }) throws {
        let sizes = Dictionary(manifest.files.map { ($0.path, $0.sizeBytes) }) { first, _ in first }
        for (path, expected) in manifest.knownPaths.sorted(by: { $0.key < $1.key }) {
            let url = url(of: path)
            guard FileManager.default.fileExists(atPath: url.path) else {
                guard isNeeded(path) else { continue }
                throw ArtifactError("\(path) is missing, the manifest lists it")
            }
            if let size = sizes[path] {
                let found = try FileDigest.sizeBytes(of: url)
                guard found == size else {
                    throw ArtifactError("\(path) has \(found) bytes, the manifest says \(size)")
                }
            }
            let found = try FileDigest.sha256(of: url)
            guard found == expected else {
                throw ArtifactError(
                    "\(path) was altered: its sha256 is \(found.prefix(12))…, the manifest says "
                        + "\(expected.prefix(12))…"
                )
            }
        }
    }

    /// Return name → style code of every pack.
    public func styleCodes() throws -> Tensors {
        try manifest.styles.reduce(into: [:]) { codes, pack in
            let tensors = try SafetensorsFile.tensors(of: Data(contentsOf: url(of: pack.path)))
            codes.merge(tensors) { _, last in last }
        }
    }
}
