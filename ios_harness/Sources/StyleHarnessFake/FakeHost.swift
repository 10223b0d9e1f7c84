import Foundation
import StyleHarness

/// Device services with a fake clock, which records the progress.
public final class FakeHost: BenchHost, @unchecked Sendable {
    public let clockName = "fake"
    public let clock: FakeClock
    private let lock = NSLock()
    private var lines: [String] = []

    public init(clock: FakeClock) {
        self.clock = clock
    }

    /// Lines of progress, in order.
    public var progressLines: [String] { lock.withLock { lines } }

    public func now() -> Int { clock.now }
    public func memoryBytes() -> Int? { 1000 + clock.runs.count }
    public func progress(_ line: String) {
        lock.withLock { lines.append(line) }
    }
}

/// A clock that only fake sessions advance, and a log of their runs.
public final class FakeClock: @unchecked Sendable {
    private let lock = NSLock()
    private var time = 0
    private var paths: [String] = []

    public init() {}

    /// Nanoseconds since the clock was created.
    public var now: Int { lock.withLock { time } }
    /// Path of the file of each run, in order.
    public var runs: [String] { lock.withLock { paths } }

    func advance(_ nanoseconds: Int) {
        lock.withLock { time += nanoseconds }
    }

    func recordRun(of path: String) {
        lock.withLock { paths.append(path) }
    }
}
