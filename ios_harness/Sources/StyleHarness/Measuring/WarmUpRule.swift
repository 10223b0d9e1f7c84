import Foundation

/// When a cell counts as warm: the median of a window of runs agrees with that of the one before.
public struct WarmUpRule: Hashable, Sendable {
    /// Runs of a warm-up in any case, be they as long as they may.
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

    /// The rule in words, as the report has it.
    public var words: String {
        "until the median of \(window) runs is within \(Self.plain(tolerance * 100))% of that of "
            + "the \(window) before, at least \(Self.plain(leastSeconds)) s, "
            + "at most \(Self.plain(mostSeconds)) s"
    }

    /// Whether the last window of samples and the one before it agree.
    public func isStable(_ samples: [Int]) -> Bool {
        guard samples.count >= 2 * window, window > 0 else { return false }
        let before = Self.median(samples.suffix(2 * window).prefix(window))
        return abs(Self.median(samples.suffix(window)) - before) <= tolerance * before
    }

    /// Whether warming up is over after these samples.
    public func isDone(_ samples: [Int], seconds: Double) -> Bool {
        if seconds >= leastSeconds && isStable(samples) { return true }
        return seconds >= mostSeconds && samples.count >= Self.leastRuns
    }

    /// The middle of some numbers; of an even count, the mean of the two in the middle.
    ///
    /// The one statistic that a harness computes, and it is in no report.
    static func median(_ samples: some Collection<Int>) -> Double {
        let sorted = samples.sorted()
        let half = sorted.count / 2
        guard sorted.count.isMultiple(of: 2) else { return Double(sorted[half]) }
        return Double(sorted[half - 1] + sorted[half]) / 2
    }

    /// Return a number in as few digits as it needs.
    static func plain(_ number: Double) -> String {
        String(format: "%.6g", number)
    }
}
