/// Groups of cells that are measured in turns.
public enum CellGroups {
    /// Largest number of models loaded at once, limited by the memory of a phone.
    public static let largestGroup = 4

    /// Return the indices of the cells of each group; all cells of a group have the same size.
    ///
    /// Sizes keep the order of their first cell.
    public static func indices(ofSizes sizes: [SizeFact]) -> [[Int]] {
        var order: [SizeFact] = []
        var bySize: [SizeFact: [Int]] = [:]
        for (index, size) in sizes.enumerated() {
            if bySize[size] == nil { order.append(size) }
            bySize[size, default: []].append(index)
        }
        return order.flatMap { size in
            let all = bySize[size] ?? []
            return stride(from: 0, to: all.count, by: largestGroup).map {
                Array(all[$0..<min($0 + largestGroup, all.count)])
            }
        }
    }
}

/// The mulberry32 generator: the same sequence for a seed in every language of the contract.
public struct SeededRandom: Sendable {
    private var state: UInt32

    public init(seed: Int) {
        state = UInt32(truncatingIfNeeded: seed)
    }

    /// Return the next number in [0, 1).
    public mutating func next() -> Double {
        state &+= 0x6D2B_79F5
        var mixed = (state ^ (state >> 15)) &* (state | 1)
        mixed ^= mixed &+ (mixed ^ (mixed >> 7)) &* (mixed | 61)
        return Double(mixed ^ (mixed >> 14)) / 4_294_967_296
    }

    /// Return items in random order (Fisher-Yates shuffle).
    public mutating func shuffled<Item>(_ items: [Item]) -> [Item] {
        var order = items
        for last in stride(from: order.count - 1, to: 0, by: -1) {
            order.swapAt(last, Int(next() * Double(last + 1)))
        }
        return order
    }
}
