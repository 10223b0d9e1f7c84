/// A file against the float network it came from, on the probes of its role and sizes.
public struct ParityFact: Encodable, Hashable, Sendable {
    /// What ran the file.
    public let runner: String
    /// Peak signal-to-noise ratio; the peak is 1 for images and the reference's largest absolute
    /// value for style codes.
    public let metric: ParityMetric
    /// On the worst probe.
    public let measuredDb: Double
    /// The least that passes.
    public let allowedDb: Double
    /// The largest difference of one element.
    public let maxAbsError: Double
    /// How many were run.
    public let probes: Int
    /// The same with every tensor kept in float32, for files that declare float16 and a runner that
    /// can ignore it: what the file means, apart from its rounding.
    public let float32Db: Double?

    public init(
        runner: String,
        metric: ParityMetric,
        measuredDb: Double,
        allowedDb: Double,
        maxAbsError: Double,
        probes: Int,
        float32Db: Double? = nil
    ) {
        self.runner = runner
        self.metric = metric
        self.measuredDb = measuredDb
        self.allowedDb = allowedDb
        self.maxAbsError = maxAbsError
        self.probes = probes
        self.float32Db = float32Db
    }
}

extension ParityFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case runner
        case metric
        case measuredDb = "measured_db"
        case allowedDb = "allowed_db"
        case maxAbsError = "max_abs_error"
        case probes
        case float32Db = "float32_db"
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        runner = try object.required(.runner).text()
        metric = try object.required(.metric).choice()
        measuredDb = try object.required(.measuredDb).number()
        allowedDb = try object.required(.allowedDb).number()
        maxAbsError = try object.required(.maxAbsError).number()
        probes = try object.required(.probes).integer()
        float32Db = try object.optional(.float32Db)?.nullable?.number()
    }
}
