/// Numbers in 0..1 that depend on a seed alone (mulberry32), the same in every language.
public struct SeededRandom: Sendable {
    private var state: UInt32

    public init(seed: Int) {
        state = UInt32(truncatingIfNeeded: seed)
    }

    /// Return the next number, 0 included and 1 not.
    public mutating func next() -> Double {
        state &+= 0x6D2B_79F5
        var mixed = (state ^ (state >> 15)) &* (state | 1)
        mixed ^= mixed &+ (mixed ^ (mixed >> 7)) &* (mixed | 61)
        return Double(mixed ^ (mixed >> 14)) / 4_294_967_296
    }

    /// Return items in a new order (Fisher and Yates).
    public mutating func shuffled<Item>(_ items: [Item]) -> [Item] {
        var order = items
        for last in stride(from: order.count - 1, to: 0, by: -1) {
            order.swapAt(last, Int(next() * Double(last + 1)))
        }
        return order
    }
}
