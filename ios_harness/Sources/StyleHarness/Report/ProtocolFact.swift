/// How it was measured.
public struct ProtocolFact: Encodable, Hashable, Sendable {
    /// How often every cell had its turn; a turn of each makes one round.
    public let rounds: Int
    /// That a turn lasts at least.
    public let seconds: Double
    /// That a turn takes at least.
    public let minSamples: Int
    /// When a cell counts as warm, in words.
    public let warmUp: String
    /// Whether cells took turns, in a new order each round.
    public let interleaved: Bool
    /// Whether each cell ran in a process of its own.
    public let ownProcess: Bool
    /// That was read.
    public let clock: String
    /// Of it.
    public let clockResolutionNs: Double

    public init(
        rounds: Int,
        seconds: Double,
        minSamples: Int,
        warmUp: String,
        interleaved: Bool,
        ownProcess: Bool,
        clock: String,
        clockResolutionNs: Double
    ) {
        self.rounds = rounds
        self.seconds = seconds
        self.minSamples = minSamples
        self.warmUp = warmUp
        self.interleaved = interleaved
        self.ownProcess = ownProcess
        self.clock = clock
        self.clockResolutionNs = clockResolutionNs
    }
}

extension ProtocolFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case rounds
        case seconds
        case minSamples = "min_samples"
        case warmUp = "warm_up"
        case interleaved
        case ownProcess = "own_process"
        case clock
        case clockResolutionNs = "clock_resolution_ns"
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        rounds = try object.required(.rounds).integer(in: 1...)
        seconds = try object.required(.seconds).number(atLeast: 0)
        minSamples = try object.required(.minSamples).integer(in: 1...)
        warmUp = try object.required(.warmUp).text(atMost: JSONLimits.text)
        interleaved = try object.required(.interleaved).flag()
        ownProcess = try object.required(.ownProcess).flag()
        clock = try object.required(.clock).text(atMost: JSONLimits.text)
        clockResolutionNs = try object.required(.clockResolutionNs).number(atLeast: 0)
    }
}
