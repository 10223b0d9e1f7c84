/// One file on one runner at one size: what was asked, what was got, and every sample.
public struct CellFact: Encodable, Hashable, Sendable {
    /// The file.
    public var subject: SubjectFact
    /// That ran it.
    public var runner: String
    /// Settings that were asked for.
    public var requested: [String: String]
    /// Settings as the runtime reports them, which may be others.
    public var effective: [String: String]
    /// Of the picture.
    public var size: SizeFact
    /// Pictures at once.
    public var batch: Int
    /// `measured` alone has samples; `wrong` failed the artifact's probes, `unavailable` cannot run
    /// here, `failed` broke, `out-of-memory` ran out of it.
    public var status: CellStatus
    /// Why it was not measured, in one line.
    public var message: String
    /// On the artifact's probes.
    public var parity: ParityFact?
    /// Of loading, from reading the file to being ready; the first is cold.
    public var loadsNs: [Int]
    /// Of building for the device, where the runtime does so apart from loading.
    public var compileNs: Int?
    /// The first inference after loading.
    public var firstNs: Int?
    /// Inferences until it was warm, the first left out.
    public var warmUpNs: [Int]
    /// Inference, the samples of each round.
    public var roundsNs: [[Int]]
    /// From pictures in float32 [N, 3, H, W] to what the runtime takes, per sample.
    public var preNs: [Int]
    /// From what the runtime gives to float32 [N, 3, H, W], per sample.
    public var postNs: [Int]
    /// The most memory that the process held.
    public var peakRssBytes: Int?
    /// That it held before the file was loaded.
    public var idleRssBytes: Int?
    /// Of the machine over all rounds of this cell; nil where it is not told.
    public var energyJoules: Double?
    /// Share of the work by compute unit or delegate, 0..1, where the system tells.
    public var placement: [String: Double]
    /// Of a profiled run.
    public var operations: [OperationFact]
    /// What it painted of the probe, at most 256 pixels wide.
    public var picture: String?

    public init(
        subject: SubjectFact,
        runner: String,
        requested: [String: String] = [:],
        effective: [String: String] = [:],
        size: SizeFact,
        batch: Int = 1,
        status: CellStatus,
        message: String = "",
        parity: ParityFact? = nil,
        loadsNs: [Int] = [],
        compileNs: Int? = nil,
        firstNs: Int? = nil,
        warmUpNs: [Int] = [],
        roundsNs: [[Int]] = [],
        preNs: [Int] = [],
        postNs: [Int] = [],
        peakRssBytes: Int? = nil,
        idleRssBytes: Int? = nil,
        energyJoules: Double? = nil,
        placement: [String: Double] = [:],
        operations: [OperationFact] = [],
        picture: String? = nil
    ) {
        self.subject = subject
        self.runner = runner
        self.requested = requested
        self.effective = effective
        self.size = size
        self.batch = batch
        self.status = status
        self.message = message
        self.parity = parity
        self.loadsNs = loadsNs
        self.compileNs = compileNs
        self.firstNs = firstNs
        self.warmUpNs = warmUpNs
        self.roundsNs = roundsNs
        self.preNs = preNs
        self.postNs = postNs
        self.peakRssBytes = peakRssBytes
        self.idleRssBytes = idleRssBytes
        self.energyJoules = energyJoules
        self.placement = placement
        self.operations = operations
        self.picture = picture
    }
}

extension CellFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case subject
        case runner
        case requested
        case effective
        case size
        case batch
        case status
        case message
        case parity
        case loadsNs = "loads_ns"
        case compileNs = "compile_ns"
        case firstNs = "first_ns"
        case warmUpNs = "warm_up_ns"
        case roundsNs = "rounds_ns"
        case preNs = "pre_ns"
        case postNs = "post_ns"
        case peakRssBytes = "peak_rss_bytes"
        case idleRssBytes = "idle_rss_bytes"
        case energyJoules = "energy_joules"
        case placement
        case operations
        case picture
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        subject = try SubjectFact(reading: object.required(.subject))
        runner = try object.required(.runner).text(atMost: JSONLimits.text)
        requested = try object.optional(.requested)?.facts() ?? [:]
        effective = try object.optional(.effective)?.facts() ?? [:]
        size = try SizeFact(reading: object.required(.size))
        batch = try object.optional(.batch)?.integer(in: 1...) ?? 1
        status = try object.required(.status).choice()
        message = try object.optional(.message)?.text(atMost: JSONLimits.text) ?? ""
        parity = try object.optional(.parity)?.nullable.map(ParityFact.init(reading:))
        loadsNs = try object.optional(.loadsNs)?.samples() ?? []
        compileNs = try object.optional(.compileNs)?.nullable?.integer(in: JSONLimits.nanoseconds)
        firstNs = try object.optional(.firstNs)?.nullable?.integer(in: JSONLimits.nanoseconds)
        warmUpNs = try object.optional(.warmUpNs)?.samples() ?? []
        roundsNs =
            try object.optional(.roundsNs)?.items(in: 0...10_000)
            .map { try $0.samples() } ?? []
        preNs = try object.optional(.preNs)?.samples() ?? []
        postNs = try object.optional(.postNs)?.samples() ?? []
        peakRssBytes = try object.optional(.peakRssBytes)?.nullable?.integer(in: JSONLimits.count)
        idleRssBytes = try object.optional(.idleRssBytes)?.nullable?.integer(in: JSONLimits.count)
        energyJoules = try object.optional(.energyJoules)?.nullable?.number()
        placement =
            try object.optional(.placement)?
            .table(names: JSONLimits.text) { try $0.number() } ?? [:]
        operations =
            try object.optional(.operations)?.items(in: 0...5000)
            .map(OperationFact.init(reading:)) ?? []
        picture = try object.optional(.picture)?.nullable?.text(
            atMost: JSONLimits.picture, matching: .base64)
        try check(at: node)
    }
}
