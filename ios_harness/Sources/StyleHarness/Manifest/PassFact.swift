/// One rewrite of the graph: how often it applied, and what it refused and why.
public struct PassFact: Hashable, Sendable {
    public let name: String
    public let applied: Int
    public let refused: [String]
}

extension PassFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case name
        case applied
        case refused
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        name = try object.required(.name).text()
        applied = try object.required(.applied).integer()
        refused = try object.required(.refused).items().map { try $0.text() }
    }
}
