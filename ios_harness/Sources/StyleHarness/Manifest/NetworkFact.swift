/// The network that the files came from.
public struct NetworkFact: Hashable, Sendable {
    /// As typed on the command line.
    public let name: String
    /// One line.
    public let summary: String
    /// Where it was published.
    public let paper: String
    /// Of the weights.
    public let licence: String
    /// Names of the checkpoint files.
    public let source: [String]
    /// Over their contents.
    public let sourceSha256: String
    /// The smallest side in pixels.
    public let minSide: Int
    /// That the network has, exported or not.
    public let roles: [Role]
}

extension NetworkFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case name
        case summary
        case paper
        case licence
        case source
        case sourceSha256 = "source_sha256"
        case minSide = "min_side"
        case roles
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        name = try object.required(.name).text()
        summary = try object.required(.summary).text()
        paper = try object.required(.paper).text()
        licence = try object.required(.licence).text()
        source = try object.required(.source).items().map { try $0.text() }
        sourceSha256 = try object.required(.sourceSha256).text(matching: .sha256)
        minSide = try object.required(.minSide).integer()
        roles = try object.required(.roles).items().map { try $0.choice() }
    }
}
