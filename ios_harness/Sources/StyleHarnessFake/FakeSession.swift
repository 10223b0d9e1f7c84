import StyleHarness

/// A session of the fake engine.
public final class FakeSession: Session {
    public let effective = ["engine": "fake"]
    public let compileNs: Int? = nil
    public let placement: [String: Double] = [:]

    private let wish: CellWish
    private let behaviour: FakeFile
    private let answers: Tensors
    private let clock: FakeClock?
    private var runs = 0

    init(wish: CellWish, behaviour: FakeFile, answers: Tensors, clock: FakeClock?) {
        self.wish = wish
        self.behaviour = behaviour
        self.answers = answers
        self.clock = clock
    }

    public func feed(_ inputs: Tensors) throws {
        for input in wish.inputs where inputs[input.name] == nil {
            throw EngineError.failed("no tensor \(input.name) was fed")
        }
        clock?.advance(1_000_000)
    }

    public func invoke() throws {
        clock?.advance(runs == 0 ? behaviour.firstNs : behaviour.runNs)
        clock?.note(wish.subject.path)
        runs += 1
        if runs > behaviour.breaksAfter { throw EngineError.failed("device lost\nmore") }
    }

    public func fetch() throws -> Tensors {
        clock?.advance(500_000)
        return answers.mapValues { tensor in
            Tensor(shape: tensor.shape, values: tensor.values.map { $0 + behaviour.error })
        }
    }

    public func close() {}
}
