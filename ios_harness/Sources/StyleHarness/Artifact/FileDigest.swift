import Foundation
#if canImport(CryptoKit)
import CryptoKit
#endif

/// Size and sha256 of files and packages, as the manifest defines them.
public enum FileDigest {
    private static let chunkLength = 1 << 20

    /// Return the sha256 of data, in hexadecimal.
    public static func sha256(of data: Data) -> String {
        hexadecimal(SHA256.hash(data: data))
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

    /// Return the number of bytes of a file, or of all files of a folder.
    public static func sizeBytes(of url: URL) throws -> Int {
        let urls = isFolder(url) ? try files(in: url).map { url.appending(path: $0) } : [url]
        return try urls.reduce(0) { total, file in
            total + (try file.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0)
        }
    }

    /// Return the paths of all files below a folder, sorted by their UTF-8 bytes.
    static func files(in folder: URL) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            .filter { !isFolder(folder.appending(path: $0)) }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func isFolder(_ url: URL) -> Bool {
        var isDirectory: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory)
        return exists && isDirectory.boolValue
    }

    private static func sha256(ofFile url: URL) throws -> String {
        let file = try FileHandle(forReadingFrom: url)
        defer { try? file.close() }
        var hash = SHA256()
        while let chunk = try file.read(upToCount: chunkLength), !chunk.isEmpty {
            hash.update(data: chunk)
        }
        return hexadecimal(hash.finalize())
    }

    private static func hexadecimal(_ digest: some Sequence<UInt8>) -> String {
        digest.map { String(format: "%02x", $0) }.joined()
    }
}

#if !canImport(CryptoKit)
/// SHA-256 (FIPS 180-4) with the interface of CryptoKit, to build and test the package on Linux.
struct SHA256 {
    private static let constants: [UInt32] = [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
    ]
    private static let blockLength = 64

    private var state: [UInt32] = [
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
        0x5be0cd19,
    ]
    private var pending: [UInt8] = []
    private var length: UInt64 = 0

    static func hash(data: Data) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: data)
        return hash.finalize()
    }

    mutating func update(data: Data) {
        length += UInt64(data.count)
        pending.append(contentsOf: data)
        compressWholeBlocks()
    }

    func finalize() -> [UInt8] {
        var last = self
        last.pending.append(0x80)
        while last.pending.count % Self.blockLength != 56 {
            last.pending.append(0)
        }
        last.pending.append(contentsOf: withUnsafeBytes(of: (length * 8).bigEndian, Array.init))
        last.compressWholeBlocks()
        return last.state.flatMap { withUnsafeBytes(of: $0.bigEndian, Array.init) }
    }

    private mutating func compressWholeBlocks() {
        let end = pending.count - pending.count % Self.blockLength
        for begin in stride(from: 0, to: end, by: Self.blockLength) {
            compress(pending[begin..<begin + Self.blockLength])
        }
        pending.removeFirst(end)
    }

    private mutating func compress(_ block: ArraySlice<UInt8>) {
        let schedule = Self.schedule(of: block)
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for index in 0..<Self.blockLength {
            let sum1 = Self.rotated(e, 6) ^ Self.rotated(e, 11) ^ Self.rotated(e, 25)
            let choice = (e & f) ^ (~e & g)
            let first = h &+ sum1 &+ choice &+ Self.constants[index] &+ schedule[index]
            let sum0 = Self.rotated(a, 2) ^ Self.rotated(a, 13) ^ Self.rotated(a, 22)
            let majority = (a & b) ^ (a & c) ^ (b & c)
            (h, g, f, e) = (g, f, e, d &+ first)
            (d, c, b, a) = (c, b, a, first &+ sum0 &+ majority)
        }
        for (index, value) in [a, b, c, d, e, f, g, h].enumerated() {
            state[index] &+= value
        }
    }

    private static func schedule(of block: ArraySlice<UInt8>) -> [UInt32] {
        var words = [UInt32](repeating: 0, count: blockLength)
        for (index, byte) in block.enumerated() {
            words[index / 4] = words[index / 4] << 8 | UInt32(byte)
        }
        for index in 16..<blockLength {
            let (near, far) = (words[index - 15], words[index - 2])
            let sigma0 = rotated(near, 7) ^ rotated(near, 18) ^ (near >> 3)
            let sigma1 = rotated(far, 17) ^ rotated(far, 19) ^ (far >> 10)
            words[index] = words[index - 16] &+ sigma0 &+ words[index - 7] &+ sigma1
        }
        return words
    }

    private static func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 {
        word >> count | word << (32 - count)
    }
}
#endif
