import Foundation

/// Device services used by a measurement: clock, memory, progress and cancellation.
public protocol BenchHost: Sendable {
    /// Name of the clock in reports.
    var clockName: String { get }

    /// Return monotonic nanoseconds.
    func now() -> Int
    /// Return the memory of the process in bytes; nil if the system does not report it.
    func memoryBytes() -> Int?
    /// Report progress, as a line for the user.
    func progress(_ line: String)
    /// Whether the measurement should stop early.
    func isCancelled() -> Bool
    /// Return the output of a probe as a PNG or JPEG in base64; nil if it is no image.
    func picture(of outputs: Tensors, cell: JobCell) -> String?
}

extension BenchHost {
    public func picture(of outputs: Tensors, cell: JobCell) -> String? { nil }
    public func isCancelled() -> Bool { false }

    /// Return the smallest observed step of the clock, in nanoseconds.
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
