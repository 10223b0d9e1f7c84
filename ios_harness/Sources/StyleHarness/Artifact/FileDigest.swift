import Foundation
#if canImport(CryptoKit)
import CryptoKit
#endif

/// Size and sha256 of files and packages, as the manifest defines them.
public enum FileDigest {
    private static let pieceLength = 1 << 20

    /// Return the sha256 of some bytes, in hexadecimal.
    public static func sha256(of data: Data) -> String {
        #if canImport(CryptoKit)
        SHA256.hash(data: data).map { String(format: "%02x", $0) }.joined()
        #else
        var digest = SHA256Digest()
        digest.update(data)
        return digest.finish()
        #endif
    }

    /// Return the sha256 of a file; of a folder, that of the lines `sha256  path` of its files.
    public static func sha256(of url: URL) throws -> String {
        guard isFolder(url) else { return try sha256(ofFile: url) }
        var lines = ""
        for path in try files(in: url) {
            lines += "\(try sha256(ofFile: url.appending(path: path)))  \(path)\n"
        }
        return sha256(of: Data(lines.utf8))
    }

    /// Return the bytes of a file, or of all files of a folder.
    public static func sizeBytes(of url: URL) throws -> Int {
        let urls = isFolder(url) ? try files(in: url).map { url.appending(path: $0) } : [url]
        return try urls.reduce(0) { total, file in
            total + (try file.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0)
        }
    }

    /// Return the paths of all files below a folder, in the order of their bytes.
    static func files(in folder: URL) throws -> [String] {
        let found = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        return
            found
            .filter { !isFolder(folder.appending(path: $0)) }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    static func isFolder(_ url: URL) -> Bool {
        var isDirectory: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory)
        return exists && isDirectory.boolValue
    }

    private static func sha256(ofFile url: URL) throws -> String {
        let file = try FileHandle(forReadingFrom: url)
        defer { try? file.close() }
        #if canImport(CryptoKit)
        var digest = SHA256()
        while let piece = try file.read(upToCount: pieceLength), !piece.isEmpty {
            digest.update(data: piece)
        }
        return digest.finalize().map { String(format: "%02x", $0) }.joined()
        #else
        var digest = SHA256Digest()
        while let piece = try file.read(upToCount: pieceLength), !piece.isEmpty {
            digest.update(piece)
        }
        return digest.finish()
        #endif
    }
}
