import Foundation

/// A manifest, report or job that does not match its schema, and where in it.
public struct ContractError: Error, Hashable, Sendable, CustomStringConvertible {
    /// JSON path of the fault, such as `$.cells[0].status`; `$` is the whole document.
    public let path: String
    /// Expected and actual value.
    public let reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(reason) - at `\(path)`" }

    init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            let reason = "Object missing required field `\(key.stringValue)`"
            self.init(path: context.codingPath.jsonPath, reason: reason)
        case .typeMismatch(_, let context), .valueNotFound(_, let context),
            .dataCorrupted(let context):
            self.init(path: context.codingPath.jsonPath, reason: context.debugDescription)
        @unknown default:
            self.init(path: "$", reason: "\(error)")
        }
    }
}

extension [any CodingKey] {
    /// The path of a decoder as a JSON path.
    var jsonPath: String {
        reduce("$") { path, key in
            path + (key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)")
        }
    }
}

/// A JSON file of the contract between the host and the app.
public protocol ContractDocument: Codable {
    /// Name in error messages.
    static var title: String { get }
    /// Version of the schema that is read and written.
    static var currentVersion: Int { get }
}

extension ContractDocument {
    /// Read a document.
    ///
    /// - Throws: `ContractError` if it does not match its schema or has another schema version.
    public init(json: Data) throws {
        self = try strictlyDecoded(json) { decoder in
            let version = try decoder.decode(SchemaVersion.self, from: json)
            guard version.isMissing || version.number == Self.currentVersion else {
                let actual = version.number.map(String.init) ?? "of another type"
                throw ContractError(
                    path: "$.schema_version",
                    reason: "has \(Self.title) schema version \(actual), "
                        + "expected \(Self.currentVersion)"
                )
            }
            return try decoder.decode(Self.self, from: json)
        }
    }

    /// Return the document as JSON, ending in a newline.
    public func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }
}

/// Decode JSON with the facts of its text (`JSONText`) in the decoder's user info.
func strictlyDecoded<Value>(
    _ json: Data, _ decode: (JSONDecoder) throws -> Value
) throws -> Value {
    do {
        let decoder = JSONDecoder()
        _ = try decoder.decode(AnyJSON.self, from: json)
        decoder.userInfo[JSONText.key] = try JSONText(json)
        return try decode(decoder)
    } catch let error as DecodingError {
        throw ContractError(error)
    }
}

/// Any valid JSON.
private struct AnyJSON: Decodable {
    init(from decoder: any Decoder) {}
}

/// The schema version of a document, which is checked before the other fields.
private struct SchemaVersion: Decodable {
    enum CodingKeys: String, CodingKey {
        case number = "schema_version"
    }

    let isMissing: Bool
    let number: Int?

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        isMissing = !container.contains(.number)
        number = try? container.decode(Int.self, forKey: .number)
    }
}

/// Length of a tensor axis, or the name of an axis of any length.
public enum Axis: Codable, Hashable, Sendable {
    case length(Int)
    case named(String)

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let name = try? container.decode(String.self) {
            self = .named(name)
        } else {
            self = .length(try container.decode(Int.self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .length(let length): try container.encode(length)
        case .named(let name): try container.encode(name)
        }
    }
}

/// Lowest and highest pixel value; in JSON an array of the two.
public struct PixelRange: Codable, Hashable, Sendable {
    public let lowest: Double
    public let highest: Double

    public init(lowest: Double, highest: Double) {
        self.lowest = lowest
        self.highest = highest
    }

    public init(from decoder: any Decoder) throws {
        let bounds = try [Double](from: decoder)
        guard bounds.count == 2 else {
            throw ContractError(
                path: decoder.codingPath.jsonPath,
                reason: "Expected `array` of length 2, got \(bounds.count)"
            )
        }
        self.init(lowest: bounds[0], highest: bounds[1])
    }

    public func encode(to encoder: any Encoder) throws {
        try [lowest, highest].encode(to: encoder)
    }
}

// MARK: - Rules that a schema cannot express, checked in every language

extension TensorFact {
    func check(at path: String) throws {
        if let range = pixelRange, range.lowest >= range.highest {
            throw ContractError(path: "\(path).pixel_range", reason: "the lowest value comes first")
        }
        let isNegative = { (axis: Axis) in
            if case .length(let length) = axis { length < 0 } else { false }
        }
        if let index = shape.firstIndex(where: isNegative) {
            throw ContractError(path: "\(path).shape[\(index)]", reason: "Expected `int` >= 0")
        }
    }
}

extension CodeLayoutFact {
    private static let mostValues = 805_306_368.0

    /// Number of values of a style code; a product of lengths may exceed an integer.
    public var length: Double {
        parts.reduce(0) { sum, part in sum + part.shape.reduce(1) { $0 * Double($1) } }
    }

    func check(at path: String) throws {
        if Set(parts.map(\.name)).count < parts.count {
            let reason = "parts of a style code have different names"
            throw ContractError(path: path, reason: reason)
        }
        if length > Self.mostValues {
            let reason = "a style code has 1 to \(Int(Self.mostValues)) values"
            throw ContractError(path: path, reason: reason)
        }
        if blending != .exact && reason.isEmpty {
            let reason = "blending \(blending.rawValue) needs a reason"
            throw ContractError(path: path, reason: reason)
        }
    }
}

extension Manifest {
    func check(at path: String) throws {
        guard let layout = network.codeLayout else { return }
        for file in files {
            if let length = file.codeLength, Double(length) != layout.length {
                let reason = "parts of \(layout.length) values, and codes of \(length)"
                throw ContractError(path: path, reason: "\(reason) in \(file.path)")
            }
        }
    }
}

extension CellFact {
    private static let longestSide = 16_384

    func check(at path: String) throws {
        if status == .measured && samplesNs.isEmpty {
            let reason = "a cell that was measured must hold samples"
            throw ContractError(path: path, reason: reason)
        }
        if max(size.height, size.width) > Self.longestSide {
            let reason = "sides are at most \(Self.longestSide) pixels"
            throw ContractError(path: "\(path).size", reason: reason)
        }
    }
}

extension JobCell {
    func check(at path: String) throws {
        if inputs.isEmpty || outputs.isEmpty {
            throw ContractError(path: path, reason: "a file has inputs and outputs")
        }
        guard subject.path.isBelowFolder else {
            throw ContractError(
                path: "\(path).subject.path", reason: "names \(subject.path), outside the artifact"
            )
        }
    }
}

extension JobFact {
    private static let mostCells = 10_000

    func check(at path: String) throws {
        if cells.count > Self.mostCells {
            let reason = "Expected `array` of length <= \(Self.mostCells)"
            throw ContractError(path: "\(path).cells", reason: reason)
        }
    }
}
