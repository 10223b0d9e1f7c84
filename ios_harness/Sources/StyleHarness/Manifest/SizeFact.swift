/// Height and width in pixels.
public struct SizeFact: Encodable, Hashable, Sendable {
    public let height: Int
    public let width: Int

    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }
}

extension SizeFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case height
        case width
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        height = try object.required(.height).integer(in: 1...)
        width = try object.required(.width).integer(in: 1...)
    }
}
