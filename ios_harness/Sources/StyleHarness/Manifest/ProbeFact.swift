/// Golden input and output of one role at one size, float32, in a safetensors file.
///
/// The tensors are named as the inputs and outputs of the role's files.
public struct ProbeFact: Hashable, Sendable {
    public let path: String
    public let role: Role
    public let size: SizeFact
    public let sha256: String
}

extension ProbeFact {
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
