import Foundation

/// Reads JSON strictly (RFC 8259): one value, UTF-8, nothing after it, no key twice.
///
/// Foundation's decoder takes `1.0` for an integer and the last of two equal keys, which the
/// schemas do not.
struct JSONParser {
    private static let deepest = 64

    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Return the value that some bytes hold.
    ///
    /// - Throws: `ContractError` where they are not JSON.
    static func value(of data: Data) throws -> JSONValue {
        var parser = JSONParser([UInt8](data))
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == parser.bytes.count else {
            throw parser.malformed("trailing characters")
        }
        return value
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth < Self.deepest else { throw malformed("nested too deeply") }
        skipSpace()
        switch peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws -> JSONValue {
        position += 1
        var found: [String: JSONValue] = [:]
        skipSpace()
        if take("}") { return .object(found) }
        repeat {
            skipSpace()
            let key = try string()
            skipSpace()
            guard take(":") else { throw malformed("expected ':'") }
            let value = try value(depth: depth + 1)
            guard found.updateValue(value, forKey: key) == nil else {
                throw malformed("key `\(key.prefix(40))` is there twice")
            }
            skipSpace()
        } while take(",")
        guard take("}") else { throw malformed("expected ',' or '}'") }
        return .object(found)
    }

    private mutating func array(depth: Int) throws -> JSONValue {
        position += 1
        var found: [JSONValue] = []
        skipSpace()
        if take("]") { return .array(found) }
        repeat {
            found.append(try value(depth: depth + 1))
            skipSpace()
        } while take(",")
        guard take("]") else { throw malformed("expected ',' or ']'") }
        return .array(found)
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws -> JSONValue {
        let wanted = Array("\(text)".utf8)
        guard bytes[position...].starts(with: wanted) else { throw malformed("invalid word") }
        position += wanted.count
        return value
    }

    private mutating func number() throws -> JSONValue {
        let begin = position
        _ = take("-")
        let leading = position
        let digits = takeDigits()
        guard digits > 0, digits == 1 || bytes[leading] != UInt8(ascii: "0") else {
            throw malformed("invalid character")
        }
        var isInteger = true
        if take(".") {
            isInteger = false
            guard takeDigits() > 0 else { throw malformed("invalid number") }
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            guard takeDigits() > 0 else { throw malformed("invalid number") }
        }
        let text = String(decoding: bytes[begin..<position], as: UTF8.self)
        if isInteger, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw malformed("number out of range")
        }
        return .number(value)
    }

    private mutating func string() throws -> String {
        guard take("\"") else { throw malformed("expected a string") }
        var content: [UInt8] = []
        while let byte = peek(), byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw malformed("control character in a string") }
            position += 1
            if byte == UInt8(ascii: "\\") {
                content.append(contentsOf: String(try escaped()).utf8)
            } else {
                content.append(byte)
            }
        }
        guard take("\"") else { throw malformed("input was truncated") }
        guard let text = String(bytes: content, encoding: .utf8) else {
            throw malformed("invalid UTF-8")
        }
        return text
    }

    private mutating func escaped() throws -> Unicode.Scalar {
        guard let byte = peek() else { throw malformed("input was truncated") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw malformed("invalid escape")
        }
    }

    private mutating func unicodeEscape() throws -> Unicode.Scalar {
        var code = try hexadecimal()
        if (0xD800..<0xDC00).contains(code) {
            guard take("\\"), take("u") else { throw malformed("lone surrogate") }
            let low = try hexadecimal()
            guard (0xDC00..<0xE000).contains(low) else { throw malformed("lone surrogate") }
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw malformed("lone surrogate") }
        return scalar
    }

    private mutating func hexadecimal() throws -> UInt32 {
        guard position + 4 <= bytes.count else { throw malformed("input was truncated") }
        let text = String(decoding: bytes[position..<position + 4], as: UTF8.self)
        guard text.allSatisfy(\.isHexDigit), let code = UInt32(text, radix: 16) else {
            throw malformed("invalid escape")
        }
        position += 4
        return code
    }

    private func peek() -> UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: scalar) else { return false }
        position += 1
        return true
    }

    private mutating func takeDigits() -> Int {
        let begin = position
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            position += 1
        }
        return position - begin
    }

    private mutating func skipSpace() {
        while let byte = peek(), [0x20, 0x09, 0x0A, 0x0D].contains(byte) {
            position += 1
        }
    }

    private func malformed(_ reason: String) -> ContractError {
        let said = position < bytes.count ? "\(reason) (byte \(position))" : "input was truncated"
        return ContractError(path: "$", reason: "JSON is malformed: \(said)")
    }
}
