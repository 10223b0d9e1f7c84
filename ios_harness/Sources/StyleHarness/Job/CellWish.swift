/// One file at one size: what it is, what it takes and gives, and the probe that proves it.
public struct CellWish: Encodable, Hashable, Sendable {
    /// The file, as the report must name it.
    public let subject: SubjectFact
    /// That the report must name; "" is that of the device.
    public let runner: String
    /// Settings of it, such as a delegate; the report repeats them.
    public let requested: [String: String]
    /// Of the picture.
    public let size: SizeFact
    /// Below the artifact directory; it holds inputs and outputs by name.
    public let probe: String
    /// In order.
    public let inputs: [TensorFact]
    /// In order.
    public let outputs: [TensorFact]
    /// The least PSNR on the probe; a file below it gets no samples.
    public let allowedDb: Double

    public init(
        subject: SubjectFact,
        runner: String = "",
        requested: [String: String] = [:],
        size: SizeFact,
        probe: String,
        inputs: [TensorFact],
        outputs: [TensorFact],
        allowedDb: Double
    ) {
        self.subject = subject
        self.runner = runner
        self.requested = requested
        self.size = size
        self.probe = probe
        self.inputs = inputs
        self.outputs = outputs
        self.allowedDb = allowedDb
    }
}

extension CellWish {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case subject
        case runner
        case requested
        case size
        case probe
        case inputs
        case outputs
        case allowedDb = "allowed_db"
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        subject = try SubjectFact(reading: object.required(.subject))
        runner = try object.optional(.runner)?.text(atMost: JSONLimits.text) ?? ""
        requested = try object.optional(.requested)?.facts() ?? [:]
        size = try SizeFact(reading: object.required(.size))
        probe = try object.required(.probe).text(matching: .relativePath)
        inputs = try object.required(.inputs).items().map(TensorFact.init(reading:))
        outputs = try object.required(.outputs).items().map(TensorFact.init(reading:))
        allowedDb = try object.required(.allowedDb).number()
    }
}
