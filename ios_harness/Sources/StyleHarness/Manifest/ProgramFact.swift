/// The captured float network of one role and size: a `torch.export` archive.
public struct ProgramFact: Hashable, Sendable {
    public let path: String
    public let role: Role
    public let size: SizeFact
    public let sha256: String
}

extension ProgramFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case path
        case role
        case size
        case sha256
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        path = try object.required(.path).text(matching: .relativePath)
        role = try object.required(.role).choice()
        size = try SizeFact(reading: object.required(.size))
        sha256 = try object.required(.sha256).text(matching: .sha256)
    }
}
