/// Everything that one run of a harness measured.
public struct LatencyReport: Encodable, Hashable, Sendable {
    /// Of this file.
    public let schemaVersion: Int
    /// What measured.
    public let harness: HarnessFact
    /// When it began, UTC, ISO 8601.
    public let created: String
    /// That the host asked with, for reports that a device sends.
    public let nonce: String?
    /// That was typed.
    public let command: String
    /// What it was measured on.
    public let machine: MachineFact
    /// State of the machine.
    public let before: StateFact
    /// The same, at the end.
    public let after: StateFact
    /// How it was measured.
    public let `protocol`: ProtocolFact
    /// What the machine could do at best; nil where it was not measured.
    public let peak: PeakFact?
    /// In the order of the request.
    public let cells: [CellFact]

    public init(
        schemaVersion: Int,
        harness: HarnessFact,
        created: String,
        nonce: String? = nil,
        command: String = "",
        machine: MachineFact,
        before: StateFact,
        after: StateFact,
        protocol: ProtocolFact,
        peak: PeakFact? = nil,
        cells: [CellFact]
    ) {
        self.schemaVersion = schemaVersion
        self.harness = harness
        self.created = created
        self.nonce = nonce
        self.command = command
        self.machine = machine
        self.before = before
        self.after = after
        self.protocol = `protocol`
        self.peak = peak
        self.cells = cells
    }
}

extension LatencyReport {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case schemaVersion = "schema_version"
        case harness
        case created
        case nonce
        case command
        case machine
        case before
        case after
        case `protocol`
        case peak
        case cells
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        schemaVersion = try object.required(.schemaVersion).integer()
        harness = try HarnessFact(reading: object.required(.harness))
        created = try object.required(.created).text(matching: .createdTime)
        nonce = try object.optional(.nonce)?.nullable?.text(atMost: JSONLimits.text)
        command = try object.optional(.command)?.text(atMost: JSONLimits.text) ?? ""
        machine = try MachineFact(reading: object.required(.machine))
        before = try StateFact(reading: object.required(.before))
        after = try StateFact(reading: object.required(.after))
        self.protocol = try ProtocolFact(reading: object.required(.protocol))
        peak = try object.optional(.peak)?.nullable.map(PeakFact.init(reading:))
        cells = try object.required(.cells).items(in: 1...10_000).map(CellFact.init(reading:))
    }
}
