import Foundation
import StyleHarness

/// A device of tests: its clock is a fake one, and it keeps what it is told.
public final class FakeHost: BenchHost, @unchecked Sendable {
    public let clockName = "fake"
    public let clock: FakeClock
    private let lock = NSLock()
    private var lines: [String] = []

    public init(clock: FakeClock) {
        self.clock = clock
    }

    /// What was said, in order.
    public var said: [String] { lock.withLock { lines } }

    public func now() -> Int { clock.now }
    public func memoryBytes() -> Int? { 1000 + clock.runs.count }
    public func say(_ line: String) {
        lock.withLock { lines.append(line) }
    }
}
