/// How a device measures: by the rules of the desktop bench.
public struct PlanFact: Encodable, Hashable, Sendable {
    /// Turns of every file.
    public let rounds: Int
    /// That a turn lasts at least.
    public let seconds: Double
    /// That a turn takes at least.
    public let minSamples: Int
    /// At the start of a turn, not kept.
    public let settlingRuns: Int
    /// Inferences whose median must agree with that of as many before.
    public let window: Int
    /// By which they may differ.
    public let tolerance: Double
    /// That warming up takes at least.
    public let warmUpLeastSeconds: Double
    /// After which it ends, stable or not; two windows are run in any case.
    public let warmUpSeconds: Double
    /// Of the order in each round.
    public let seed: Int
    /// Of the runtime; nil leaves it to the device.
    public let threads: Int?

    public init(
        rounds: Int = 7,
        seconds: Double = 0.5,
        minSamples: Int = 5,
        settlingRuns: Int = 2,
        window: Int = 5,
        tolerance: Double = 0.03,
        warmUpLeastSeconds: Double = 0.3,
        warmUpSeconds: Double = 10.0,
        seed: Int = 0,
        threads: Int? = nil
    ) {
        self.rounds = rounds
        self.seconds = seconds
        self.minSamples = minSamples
        self.settlingRuns = settlingRuns
        self.window = window
        self.tolerance = tolerance
        self.warmUpLeastSeconds = warmUpLeastSeconds
        self.warmUpSeconds = warmUpSeconds
        self.seed = seed
        self.threads = threads
    }
}

extension PlanFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case rounds
        case seconds
        case minSamples = "min_samples"
        case settlingRuns = "settling_runs"
        case window
        case tolerance
        case warmUpLeastSeconds = "warm_up_least_seconds"
        case warmUpSeconds = "warm_up_seconds"
        case seed
        case threads
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        rounds = try object.optional(.rounds)?.integer(in: 1...) ?? 7
        seconds = try object.optional(.seconds)?.number(atLeast: 0) ?? 0.5
        minSamples = try object.optional(.minSamples)?.integer(in: 1...) ?? 5
        settlingRuns = try object.optional(.settlingRuns)?.integer(in: 0...) ?? 2
        window = try object.optional(.window)?.integer(in: 1...) ?? 5
        tolerance = try object.optional(.tolerance)?.number(atLeast: 0) ?? 0.03
        warmUpLeastSeconds = try object.optional(.warmUpLeastSeconds)?.number(atLeast: 0) ?? 0.3
        warmUpSeconds = try object.optional(.warmUpSeconds)?.number(atLeast: 0) ?? 10.0
        seed = try object.optional(.seed)?.integer(in: 0...4_294_967_295) ?? 0
        threads = try object.optional(.threads)?.nullable?.integer(in: 1...)
    }
}
