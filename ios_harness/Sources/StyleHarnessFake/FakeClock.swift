import Foundation

/// A clock that moves only by what it is told, and notes who ran.
public final class FakeClock: @unchecked Sendable {
    private let lock = NSLock()
    private var time = 0
    private var ran: [String] = []

    public init() {}

    /// Nanoseconds since it was made.
    public var now: Int { lock.withLock { time } }
    /// Paths of the files that ran, in order.
    public var runs: [String] { lock.withLock { ran } }

    func advance(_ nanoseconds: Int) {
        lock.withLock { time += nanoseconds }
    }

    func note(_ path: String) {
        lock.withLock { ran.append(path) }
    }
}
