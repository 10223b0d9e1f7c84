/// Style codes by name, float32 [1, K] each, in a safetensors file.
public struct StylePackFact: Hashable, Sendable {
    public let path: String
    public let names: [String]
    public let encoder: String
    public let sha256: String
}

extension StylePackFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case path
        case names
        case encoder
        case sha256
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        path = try object.required(.path).text(matching: .relativePath)
        names = try object.required(.names).items().map { try $0.text() }
        encoder = try object.required(.encoder).text(matching: .relativePath)
        sha256 = try object.required(.sha256).text(matching: .sha256)
    }
}
