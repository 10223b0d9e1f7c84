/// Something in a file that is known to fail or to run slowly on some devices.
public struct RiskFact: Hashable, Sendable {
    /// The layer, or what it is about.
    public let `where`: String
    /// What happens, and where.
    public let reason: String
    /// What to type or to change.
    public let remedy: String
}

extension RiskFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case `where`
        case reason
        case remedy
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        self.where = try object.required(.where).text()
        reason = try object.required(.reason).text()
        remedy = try object.required(.remedy).text()
    }
}
