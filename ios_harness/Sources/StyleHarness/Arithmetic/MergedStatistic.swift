/// A statistic over some tiles; of none at first.
///
/// Tiles merge by the pairwise formula of Chan, Golub and LeVeque (1979) in double precision, so
/// that 40 million places lose nothing.
public struct MergedStatistic: Sendable {
    private let fact: StatisticFact
    /// Number of places.
    public private(set) var count = 0
    /// Values, as tiles give them, over all these places.
    public private(set) var values: [Double]

    public init(_ fact: StatisticFact) {
        self.fact = fact
        values = [Double](repeating: 0, count: fact.length)
    }

    /// Add a tile of some places with its values.
    ///
    /// - Precondition: there are as many values as the statistic has.
    public mutating func add(places: Int, values tile: [Float]) {
        precondition(tile.count == values.count, "\(fact.name) has \(tile.count) values")
        let share = Double(places) / Double(count + places)
        let half = fact.kind == .moments ? fact.length / 2 : 0
        let differences = zip(tile, values).map { Double($0) - $1 }
        for (index, difference) in differences.enumerated() {
            values[index] += difference * share
            if index < half {
                values[half + index] += difference * difference * (share * (1 - share))
            }
        }
        count += places
    }

    /// What files take, [1, length].
    public var given: Tensor {
        let first = fact.kind == .moments ? fact.length / 2 : 0
        let places = Double(fact.height) * Double(fact.width)
        let isCorrected = fact.correction == 1 && count > 1
        let factor = isCorrected ? (1 - 1 / places) / (1 - 1 / Double(count)) : 1
        let given = values.enumerated().map { index, value in
            Float(index < first ? value : value * factor)
        }
        return Tensor(shape: [1, fact.length], values: given)
    }
}
