/// A length of a tensor, or the name of an axis of any length.
public enum Axis: Encodable, Hashable, Sendable {
    case length(Int)
    case named(String)

    init(reading node: JSONNode) throws {
        switch node.value {
        case .integer(let length): self = .length(length)
        case .string(let name): self = .named(name)
        default: throw node.error("Expected `int | str`, got `\(node.value.typeName)`")
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
