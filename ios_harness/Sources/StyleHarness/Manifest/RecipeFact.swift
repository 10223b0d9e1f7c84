/// The int8 recipe that files of one role, size and precision follow, as JSON.
public struct RecipeFact: Hashable, Sendable {
    public let path: String
    public let role: Role
    public let size: SizeFact
    public let precision: Precision
    public let sha256: String
}

extension RecipeFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case path
        case role
        case size
        case precision
        case sha256
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        path = try object.required(.path).text(matching: .relativePath)
        role = try object.required(.role).choice()
        size = try SizeFact(reading: object.required(.size))
        precision = try object.required(.precision).choice()
        sha256 = try object.required(.sha256).text(matching: .sha256)
    }
}
