import Foundation
import StyleHarness

/// An engine that computes nothing: it answers with what the probe expects, for tests and dry runs.
public struct FakeEngine: Engine {
    private let script: @Sendable (CellWish) -> FakeFile
    private let clock: FakeClock?
    private let artifact: URL?

    /// - Parameters:
    ///   - artifact: whose probes are the answers; nil answers with the inputs.
    ///   - clock: that its runs move; nil takes no time of its own.
    ///   - script: how each file behaves.
    public init(
        artifact: URL?,
        clock: FakeClock? = nil,
        script: @escaping @Sendable (CellWish) -> FakeFile = { _ in FakeFile() }
    ) {
        self.artifact = artifact
        self.clock = clock
        self.script = script
    }

    public func open(_ file: URL, wish: CellWish) throws -> any Session {
        let behaviour = script(wish)
        if let refusal = behaviour.refuses { throw refusal }
        clock?.advance(behaviour.loadNs)
        let answers = try artifact.map {
            try SafetensorsFile.tensors(of: Data(contentsOf: $0.appending(path: wish.probe)))
        }
        return FakeSession(wish: wish, behaviour: behaviour, answers: answers ?? [:], clock: clock)
    }
}
