import Foundation

/// An artifact directory: its manifest, and where its files are.
public struct Artifact: Hashable, Sendable {
    public let folder: URL
    public let manifest: Manifest

    /// Read the manifest of a folder; `check` verifies the files.
    ///
    /// - Throws: `ArtifactError` if there is no manifest or it does not match its schema.
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

    /// Name of the folder.
    public var name: String { folder.lastPathComponent }

    /// Return the location of one of its files.
    public func url(of path: String) -> URL {
        folder.appending(path: path)
    }

    /// Verify the size and sha256 of the files against the manifest.
    ///
    /// - Parameter isNeeded: paths that must exist; an app needs no captured programs.
    /// - Throws: `ArtifactError` if a file is missing or altered.
    public func check(where isNeeded: (String) -> Bool = { _ in true }) throws {
        let sizes = Dictionary(manifest.files.map { ($0.path, $0.sizeBytes) }) { first, _ in first }
        for (path, expected) in manifest.digests.sorted(by: { $0.key < $1.key }) {
            let url = url(of: path)
            guard FileManager.default.fileExists(atPath: url.path) else {
                guard isNeeded(path) else { continue }
                throw ArtifactError("\(path) is missing, the manifest lists it")
            }
            if let size = sizes[path] {
                let actual = try FileDigest.sizeBytes(of: url)
                guard actual == size else {
                    throw ArtifactError("\(path) has \(actual) bytes, the manifest says \(size)")
                }
            }
            let actual = try FileDigest.sha256(of: url)
            guard actual == expected else {
                throw ArtifactError(
                    "\(path) was altered: its sha256 is \(actual.prefix(12))…, the manifest says "
                        + "\(expected.prefix(12))…"
                )
            }
        }
    }

    /// Return the style codes of all packs by name, each of shape [1, K].
    ///
    /// - Throws: `ArtifactError` if a pack holds codes of another network.
    public func styleCodes() throws -> Tensors {
        let length = manifest.files.lazy.compactMap(\.codeLength).first
        return try manifest.styles.reduce(into: [:]) { codes, pack in
            let tensors = try SafetensorsFile.tensors(of: Data(contentsOf: url(of: pack.path)))
            if let (name, code) = tensors.first(where: { $0.value.shape != [1, length] }) {
                throw ArtifactError(
                    "\(pack.path) holds \(name) of shape \(code.shape), a code of another network: "
                        + "\(manifest.network.name) takes [1, \(length.map(String.init) ?? "-")]"
                )
            }
            codes.merge(tensors) { _, last in last }
        }
    }
}

/// Why an artifact directory cannot be used, in one line.
public struct ArtifactError: LocalizedError, Hashable, CustomStringConvertible {
    public let reason: String

    public init(_ reason: String) {
        self.reason = reason
    }

    public var description: String { reason }
    public var errorDescription: String? { reason }
}

extension Manifest {
    /// Name of the manifest in an artifact directory.
    public static let fileName = "manifest.json"

    /// Path → sha256 of every file that the manifest lists.
    public var digests: [String: String] {
        var pairs = files.map { ($0.path, $0.sha256) }
        pairs += programs.map { ($0.path, $0.sha256) }
        pairs += probes.map { ($0.path, $0.sha256) }
        pairs += recipes.map { ($0.path, $0.sha256) }
        pairs += styles.map { ($0.path, $0.sha256) }
        pairs += styles.flatMap(\.thumbnails).map { ($0.path, $0.sha256) }
        return Dictionary(pairs) { _, last in last }
    }

    /// Style → path of its thumbnail; of packs with a style of one name the last counts.
    public var thumbnails: [String: String] {
        styles.reduce(into: [:]) { paths, pack in
            for name in pack.names {
                paths[name] = pack.thumbnails.last { $0.style == name }?.path
            }
        }
    }
}

extension FileFact {
    /// Output pictures of 8 bits reach at most 59 dB against a float reference.
    private static let allowedDbOfPixels = 48.0

    /// Whether the file is a pass over tiles, which by itself paints nothing and has no probe.
    public var isPass: Bool { role == .features || role == .render }

    /// Whether the file accepts pictures of a size.
    public func accepts(_ other: SizeFact) -> Bool {
        sizes.isEmpty ? size == nil || size == other : sizes.contains(other)
    }

    /// The input sizes to choose from; nil is any size.
    public var sizeChoices: [SizeFact?] {
        sizes.isEmpty ? [size] : sizes
    }

    /// The least PSNR on a probe that passes on a device, in dB: that of the runner with the lowest
    /// threshold, for pixel buffers capped.
    public var deviceAllowedDb: Double {
        let least = parity.map(\.allowedDb).min() ?? 0
        return outputs.first?.dtype == .uint8 ? min(least, Self.allowedDbOfPixels) : least
    }

    /// Number of values of a style code; nil for a file that takes and gives none.
    public var codeLength: Int? {
        let code = (inputs + outputs).first { $0.kind == .styleCode }
        guard case .length(let length)? = code?.shape.last else { return nil }
        return length
    }

    /// Whether the network has one fixed style and takes no style input.
    public var isFixedStyle: Bool {
        role == .stylize && inputs.count == 1
    }
}
