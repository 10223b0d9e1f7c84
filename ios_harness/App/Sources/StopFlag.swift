import Foundation

/// Whether the user has pressed stop, for whoever works on another thread.
final class StopFlag: @unchecked Sendable {
    private let lock = NSLock()
    private var raised = false

    var isRaised: Bool {
        get { lock.withLock { raised } }
        set { lock.withLock { raised = newValue } }
    }
}
