import Foundation

/// Statistics of a film, smoothed over time until a cut; `docs/reference/film.md` specifies them.
public struct SmoothedStatistics: Sendable {
    /// Time constant in seconds of the average at a stability of 1.
    public static let longestSeconds = 1.0
    /// Distance of two frames' statistics above which they are of two scenes.
    public static let cut = 0.3
    /// Least deviation, as a share of the root mean square of all channels'.
    public static let floor = 0.05
    /// Stability where none is chosen.
    public static let defaultStability = 0.25

    private let kinds: [String: StatisticKind]
    private let stability: Double
    private var averages: [String: [Double]] = [:]
    private var first: [String: [Double]] = [:]
    private var seconds: Double?
    private var weight = 1.0
    private var begins = true
    /// Whether the last frame is the first of a scene after another one.
    public private(set) var isCut = false

    /// - Parameters:
    ///   - kinds: kinds of the statistics by name.
    ///   - stability: 0 takes each frame's own, 1 averages longest.
    public init(kinds: [String: StatisticKind], stability: Double) {
        self.kinds = kinds
        self.stability = stability
    }

    /// Begin a frame that is shown at a time.
    public mutating func frame(at time: Double) {
        let constant = stability * Self.longestSeconds
        if let seconds, constant > 0 {
            weight = -expm1(-max(0, time - seconds) / constant)
        } else {
            weight = 1
        }
        (seconds, begins, isCut) = (time, true, false)
    }

    /// Return the statistics to take for those of a pass, which come in order.
    public mutating func settle(_ given: [String: [Double]]) -> [String: [Double]] {
        if begins {
            isCut = !first.isEmpty && distance(from: first, to: given) > Self.cut
            if isCut { weight = 1 }
            (first, begins) = (given, false)
        }
        for (name, values) in given {
            let before = averages[name] ?? values
            averages[name] = zip(before, values).map { $0 + weight * ($1 - $0) }
        }
        return given.reduce(into: [:]) { settled, item in settled[item.key] = averages[item.key] }
    }

    /// Return how far apart the statistics of the first pass over two frames are.
    private func distance(
        from before: [String: [Double]], to after: [String: [Double]]
    ) -> Double {
        let each = after.map { name, values in
            let earlier = before[name] ?? values
            return kinds[name] == .moments
                ? Self.ofMoments(earlier, values) : Self.ofMeans(earlier, values)
        }
        return (each.reduce(0, +) / Double(max(1, each.count))).squareRoot()
    }

    private static func ofMoments(_ before: [Double], _ after: [Double]) -> Double {
        let half = after.count / 2
        let (own, other) = (deviations(before), deviations(after))
        let each = (0..<half).map { channel in
            let moved = after[channel] - before[channel]
            let contrast = log(other[channel] / own[channel])
            return moved * moved / (own[channel] * other[channel]) + contrast * contrast
        }
        return each.reduce(0, +) / Double(max(1, half))
    }

    /// Return deviations of moments, raised to the floor; 1 where all are 0.
    private static func deviations(_ moments: [Double]) -> [Double] {
        let variances = moments.dropFirst(moments.count / 2).map { max(0, $0) }
        let mean = variances.reduce(0, +) / Double(max(1, variances.count))
        let least = floor * mean.squareRoot()
        return variances.map { least > 0 ? max($0.squareRoot(), least) : 1 }
    }

    private static func ofMeans(_ before: [Double], _ after: [Double]) -> Double {
        func length(_ values: [Double]) -> Double {
            values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
        let lengths = length(before) * length(after)
        let difference = zip(before, after).reduce(0) { $0 + ($1.1 - $1.0) * ($1.1 - $1.0) }
        return lengths > 0 ? difference / lengths : difference > 0 ? 1 : 0
    }
}

extension SmoothedStatistics {
    /// Smoothed statistics of a tiling.
    init(_ facts: [StatisticFact], stability: Double) {
        let kinds = Dictionary(facts.map { ($0.name, $0.kind) }) { first, _ in first }
        self.init(kinds: kinds, stability: stability)
    }
}
