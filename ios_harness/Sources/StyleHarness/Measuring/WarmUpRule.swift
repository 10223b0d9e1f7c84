import Foundation

/// End of the warm-up: the medians of two consecutive windows of runs agree.
public struct WarmUpRule: Hashable, Sendable {
    /// Smallest number of runs, however long each takes.
    private static let leastRuns = 2

    public let window: Int
    public let tolerance: Double
    public let leastSeconds: Double
    public let mostSeconds: Double

    public init(plan: PlanFact) {
        window = plan.window
        tolerance = plan.tolerance
        leastSeconds = plan.warmUpLeastSeconds
        mostSeconds = plan.warmUpSeconds
    }

    /// The rule in words, for the report.
    public var summary: String {
        "until the median of \(window) runs is within \((tolerance * 100).shortText)% of that of "
            + "the \(window) before, at least \(leastSeconds.shortText) s, "
            + "at most \(mostSeconds.shortText) s"
    }

    /// Whether the medians of the last two windows agree.
    public func isStable(_ samples: [Int]) -> Bool {
        guard samples.count >= 2 * window, window > 0 else { return false }
        let before = Self.median(samples.suffix(2 * window).prefix(window))
        return abs(Self.median(samples.suffix(window)) - before) <= tolerance * before
    }

    /// Whether the warm-up is over after these samples.
    public func isDone(_ samples: [Int], seconds: Double) -> Bool {
        if seconds >= leastSeconds && isStable(samples) { return true }
        return seconds >= mostSeconds && samples.count >= Self.leastRuns
    }

    /// Return the median; of an even count, the mean of the two middle samples.
    ///
    /// The only statistic that the harness computes; it is not reported.
    static func median(_ samples: some Collection<Int>) -> Double {
        let sorted = samples.sorted()
        let half = sorted.count / 2
        guard sorted.count.isMultiple(of: 2) else { return Double(sorted[half]) }
        return Double(sorted[half - 1] + sorted[half]) / 2
    }
}
