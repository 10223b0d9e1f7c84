/// All facts of one artifact directory.
public struct Manifest: Hashable, Sendable {
    /// Of this file.
    public let schemaVersion: Int
    /// Where the files came from.
    public let network: NetworkFact
    /// The exported graphs.
    public let files: [FileFact]
    /// The float graphs they are checked against.
    public let programs: [ProgramFact]
    /// Golden inputs and outputs.
    public let probes: [ProbeFact]
    /// How int8 files were made.
    public let recipes: [RecipeFact]
    /// Of int8 files of several targets.
    public let agreements: [AgreementFact]
    /// Packed style codes.
    public let styles: [StylePackFact]
    /// Name → version of what made the files.
    public let tools: [String: String]
}

extension Manifest {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case schemaVersion = "schema_version"
        case network
        case files
        case programs
        case probes
        case recipes
        case agreements
        case styles
        case tools
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        schemaVersion = try object.required(.schemaVersion).integer()
        network = try NetworkFact(reading: object.required(.network))
        files = try object.required(.files).items(in: 1...).map(FileFact.init(reading:))
        programs = try object.required(.programs).items().map(ProgramFact.init(reading:))
        probes = try object.required(.probes).items().map(ProbeFact.init(reading:))
        recipes = try object.optional(.recipes)?.items().map(RecipeFact.init(reading:)) ?? []
        agreements =
            try object.optional(.agreements)?.items()
            .map(AgreementFact.init(reading:)) ?? []
        styles = try object.required(.styles).items().map(StylePackFact.init(reading:))
        tools = try object.required(.tools).table { try $0.text() }
    }
}
