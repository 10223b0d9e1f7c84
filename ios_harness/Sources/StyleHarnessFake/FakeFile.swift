import StyleHarness

/// How a file of the fake engine behaves.
public struct FakeFile: Sendable {
    public var loadNs = 20_000_000
    public var firstNs = 50_000_000
    public var runNs = 4_000_000
    /// What is added to every answer.
    public var error: Float = 0
    /// Runs after which it breaks.
    public var breaksAfter = Int.max
    public var refuses: EngineError?

    public init() {}
}
