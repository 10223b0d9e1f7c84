/// Operations of an int8 file that stay in float, by type or by node name, and why.
public struct FloatIslandFact: Hashable, Sendable {
    public let ops: [String]
    public let reason: String
}

extension FloatIslandFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case ops
        case reason
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        ops = try object.required(.ops).items().map { try $0.text() }
        reason = try object.required(.reason).text()
    }
}
