/// What measured.
public struct HarnessFact: Encodable, Hashable, Sendable {
    /// Of the harness.
    public let name: HarnessName
    /// Of it.
    public let version: String
    /// That it was built from; nil where nobody knows.
    public let commit: String?

    public init(name: HarnessName, version: String, commit: String? = nil) {
        self.name = name
        self.version = version
        self.commit = commit
    }
}

extension HarnessFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case name
        case version
        case commit
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        name = try object.required(.name).choice()
        version = try object.required(.version).text(atMost: JSONLimits.text)
        commit = try object.optional(.commit)?.nullable?.text(atMost: JSONLimits.text)
    }
}
