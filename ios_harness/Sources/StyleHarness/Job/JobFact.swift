/// All that a device is told, as JSON.
public struct JobFact: Encodable, Hashable, Sendable {
    /// Of the report that is wanted.
    public let schemaVersion: Int
    /// Of styleexport.
    public let version: String
    /// Of it; nil where nobody knows.
    public let commit: String?
    /// That the report must bear; every job has a new one.
    public let nonce: String
    /// That was typed; the report repeats it.
    public let command: String
    /// How to measure.
    public let plan: PlanFact
    /// What to measure.
    public let cells: [CellWish]

    public init(
        schemaVersion: Int,
        version: String,
        commit: String?,
        nonce: String,
        command: String = "",
        plan: PlanFact,
        cells: [CellWish]
    ) {
        self.schemaVersion = schemaVersion
        self.version = version
        self.commit = commit
        self.nonce = nonce
        self.command = command
        self.plan = plan
        self.cells = cells
    }
}

extension JobFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case schemaVersion = "schema_version"
        case version
        case commit
        case nonce
        case command
        case plan
        case cells
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        schemaVersion = try object.required(.schemaVersion).integer()
        version = try object.required(.version).text()
        commit = try object.required(.commit).nullable?.text()
        nonce = try object.required(.nonce).text(matching: .nonce)
        command = try object.optional(.command)?.text(atMost: JSONLimits.text) ?? ""
        plan = try PlanFact(reading: object.required(.plan))
        cells = try object.required(.cells).items(in: 1...).map(CellWish.init(reading:))
    }
}
