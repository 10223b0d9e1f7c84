/// What a text of the schemas must look like; the raw value says it in words.
enum TextPattern: String {
    case sha256 = "a sha256 of 64 hexadecimal digits"
    case relativePath = "a path below the artifact, with forward slashes"
    case createdTime = "a time in UTC such as 2026-01-31T12:00:00Z"
    case base64 = "base64"
    case nonce = "8 to 64 letters, digits, '_' and '-'"

    /// Whether a text looks so.
    func matches(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        switch self {
        case .sha256: return bytes.count == 64 && bytes.allSatisfy(Self.isHexadecimal)
        case .base64: return bytes.allSatisfy(Self.isBase64)
        case .nonce: return JobNonce.isValid(text)
        case .relativePath: return Self.isRelativePath(bytes)
        case .createdTime: return Self.isTime(text)
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        isWord(byte) || "+/=".utf8.contains(byte)
    }

    private static func isRelativePath(_ bytes: [UInt8]) -> Bool {
        bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy {
            guard let first = $0.first else { return false }
            let isKnown = $0.allSatisfy { isWord($0) || "_.-".utf8.contains($0) }
            return isKnown && first != UInt8(ascii: "-")
        }
    }

    /// `YYYY-MM-DDThh:mm:ss`, a fraction or none, then `Z` or `+00:00`.
    private static func isTime(_ text: String) -> Bool {
        let zones = ["Z", "+00:00"].filter(text.hasSuffix)
        guard let zone = zones.first else { return false }
        let bytes = Array(text.dropLast(zone.count).utf8)
        let form = Array("0000-00-00T00:00:00".utf8)
        guard bytes.count >= form.count else { return false }
        let fits = zip(bytes, form).allSatisfy { byte, mark in
            mark == UInt8(ascii: "0") ? isDigit(byte) : byte == mark
        }
        let rest = bytes.dropFirst(form.count)
        let isFraction = rest.count > 1 && rest.first == UInt8(ascii: ".")
        return fits && (rest.isEmpty || (isFraction && rest.dropFirst().allSatisfy(isDigit)))
    }
}
