import Foundation

/// What a measurement asks of the device and of the app around it.
public protocol BenchHost: Sendable {
    /// What the clock is called in reports.
    var clockName: String { get }

    /// Return monotonic nanoseconds.
    func now() -> Int
    /// Return the bytes that the process holds; nil where the system does not tell.
    func memoryBytes() -> Int?
    /// Say how far the work is.
    func say(_ line: String)
    /// Whether the work is to end early.
    func isCancelled() -> Bool
    /// Return what a file painted of its probe, a PNG or JPEG in base64; nil where it paints none.
    func picture(of outputs: Tensors, wish: CellWish) -> String?
}

extension BenchHost {
    public func picture(of outputs: Tensors, wish: CellWish) -> String? { nil }
    public func isCancelled() -> Bool { false }

    /// Return the smallest step that the clock was seen to take.
    public func clockResolutionNs(reads: Int = 2000) -> Double {
        var smallest = Int.max
        var before = now()
        for _ in 0..<reads {
            let after = now()
            if after > before {
                smallest = min(smallest, after - before)
            }
            before = after
        }
        return smallest == .max ? 0 : Double(smallest)
    }
}
