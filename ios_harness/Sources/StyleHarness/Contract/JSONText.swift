import Foundation

/// Facts of a JSON text that Foundation's decoder does not report.
///
/// The decoder has read the text before: here it is walked, not validated.
struct JSONText: Sendable {
    static let key: CodingUserInfoKey = {
        guard let key = CodingUserInfoKey(rawValue: "org.styleexport.json-text") else {
            preconditionFailure("no user info key")
        }
        return key
    }()

    /// JSON path → path of the first number at or below it that has a fraction or an exponent.
    private(set) var fractions: [String: String] = [:]
    private let bytes: [UInt8]
    private var position = 0
    private var path = ["$"]

    /// - Throws: `ContractError` if a key occurs twice in an object, or the text is not UTF-8.
    init(_ json: Data) throws {
        bytes = [UInt8](json)
        // The decoder also reads UTF-16, UTF-32 and a byte order mark, which RFC 8259 rules out.
        let isUTF8 = String(bytes: bytes, encoding: .utf8) != nil && !bytes.contains(0)
        guard isUTF8, bytes.first != 0xEF else {
            throw ContractError(path: "$", reason: "JSON is malformed: not plain UTF-8")
        }
        try value()
    }

    private mutating func value() throws {
        switch next() {
        case UInt8(ascii: "{"): try object()
        case UInt8(ascii: "["): try array()
        case UInt8(ascii: "\""): _ = string()
        default: scalar()
        }
    }

    private mutating func object() throws {
        var keys: Set<String> = []
        position += 1
        while next() != UInt8(ascii: "}") {
            let key = string()
            guard keys.insert(key).inserted else {
                let reason = "Object contains the key `\(key.prefix(40))` twice"
                throw ContractError(path: path.joined(), reason: reason)
            }
            skip(UInt8(ascii: ":"))
            try child(".\(key)")
            skip(UInt8(ascii: ","))
        }
        position += 1
    }

    private mutating func array() throws {
        var count = 0
        position += 1
        while next() != UInt8(ascii: "]") {
            try child("[\(count)]")
            count += 1
            skip(UInt8(ascii: ","))
        }
        position += 1
    }

    private mutating func child(_ step: String) throws {
        path.append(step)
        try value()
        path.removeLast()
    }

    private mutating func string() -> String {
        let begin = position
        position += 1
        while bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        position += 1
        let quoted = bytes[begin..<position]
        guard quoted.contains(UInt8(ascii: "\\")) else {
            return String(decoding: quoted.dropFirst().dropLast(), as: UTF8.self)
        }
        return (try? JSONDecoder().decode(String.self, from: Data(quoted))) ?? ""
    }

    /// Skip a number, true, false or null, and record a number that is not an integer.
    private mutating func scalar() {
        let begin = position
        while position < bytes.count, !" \t\r\n,]}".utf8.contains(bytes[position]) {
            position += 1
        }
        let token = bytes[begin..<position]
        let isNumber = token.first.map { $0 == UInt8(ascii: "-") || $0 <= UInt8(ascii: "9") }
        guard isNumber == true, token.contains(where: { ".eE".utf8.contains($0) }) else { return }
        let place = path.joined()
        for count in path.indices {
            let parent = path[...count].joined()
            if fractions[parent] == nil { fractions[parent] = place }
        }
    }

    /// Return the next byte that is no white space; 0 at the end.
    private mutating func next() -> UInt8 {
        while position < bytes.count, " \t\r\n".utf8.contains(bytes[position]) {
            position += 1
        }
        return position < bytes.count ? bytes[position] : 0
    }

    private mutating func skip(_ byte: UInt8) {
        if next() == byte { position += 1 }
    }
}
