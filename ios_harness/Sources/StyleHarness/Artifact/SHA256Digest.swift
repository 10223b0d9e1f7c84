import Foundation

/// The SHA-256 of bytes that come in pieces (FIPS 180-4), on systems with and without CryptoKit.
struct SHA256Digest {
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
    private var waiting: [UInt8] = []
    private var length: UInt64 = 0

    /// Add bytes.
    mutating func update(_ data: Data) {
        length += UInt64(data.count)
        waiting.append(contentsOf: data)
        let whole = waiting.count - waiting.count % Self.blockLength
        for begin in stride(from: 0, to: whole, by: Self.blockLength) {
            compress(waiting[begin..<begin + Self.blockLength])
        }
        waiting.removeFirst(whole)
    }

    /// Return the digest in hexadecimal.
    mutating func finish() -> String {
        let bits = length * 8
        var tail = waiting + [0x80]
        while tail.count % Self.blockLength != 56 {
            tail.append(0)
        }
        tail.append(contentsOf: withUnsafeBytes(of: bits.bigEndian, Array.init))
        for begin in stride(from: 0, to: tail.count, by: Self.blockLength) {
            compress(tail[begin..<begin + Self.blockLength])
        }
        return state.map { String(format: "%08x", $0) }.joined()
    }

    private mutating func compress(_ block: ArraySlice<UInt8>) {
        let schedule = Self.schedule(of: block)
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for index in 0..<Self.blockLength {
            let rotated = Self.rotated(e, 6) ^ Self.rotated(e, 11) ^ Self.rotated(e, 25)
            let chosen = (e & f) ^ (~e & g)
            let first = h &+ rotated &+ chosen &+ Self.constants[index] &+ schedule[index]
            let turned = Self.rotated(a, 2) ^ Self.rotated(a, 13) ^ Self.rotated(a, 22)
            let majority = (a & b) ^ (a & c) ^ (b & c)
            (h, g, f, e) = (g, f, e, d &+ first)
            (d, c, b, a) = (c, b, a, first &+ turned &+ majority)
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
            let small = rotated(near, 7) ^ rotated(near, 18) ^ (near >> 3)
            let large = rotated(far, 17) ^ rotated(far, 19) ^ (far >> 10)
            words[index] = words[index - 16] &+ small &+ words[index - 7] &+ large
        }
        return words
    }

    private static func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 {
        word >> count | word << (32 - count)
    }
}
