import Foundation
import StyleHarness

/// An engine without inference: it returns the golden outputs of the probe, for tests and dry runs.
public struct FakeEngine: Engine {
    private let behaviour: @Sendable (JobCell) -> FakeBehaviour
    private let clock: FakeClock?
    private let artifact: URL?

    /// - Parameters:
    ///   - artifact: folder of the probes; nil returns no outputs.
    ///   - clock: clock that inference advances; nil takes no time.
    ///   - behaviour: timing and faults of each file.
    public init(
        artifact: URL?,
        clock: FakeClock? = nil,
        behaviour: @escaping @Sendable (JobCell) -> FakeBehaviour = { _ in FakeBehaviour() }
    ) {
        self.artifact = artifact
        self.clock = clock
        self.behaviour = behaviour
    }

    public func open(_ file: URL, cell: JobCell) throws -> any Session {
        let behaviour = behaviour(cell)
        if let error = behaviour.openError { throw error }
        clock?.advance(behaviour.loadNs)
        let outputs = try artifact.map {
            try SafetensorsFile.tensors(of: Data(contentsOf: $0.appending(path: cell.probe)))
        }
        return FakeSession(cell: cell, behaviour: behaviour, outputs: outputs ?? [:], clock: clock)
    }
}

/// Timing and faults of a file of the fake engine.
public struct FakeBehaviour: Sendable {
    public var loadNs = 20_000_000
    public var firstNs = 50_000_000
    public var runNs = 4_000_000
    /// Offset added to every output element.
    public var outputError: Float = 0
    /// Number of runs after which inference fails.
    public var failsAfter = Int.max
    public var openError: EngineError?

    public init() {}
}

private final class FakeSession: Session {
    let effective = ["engine": "fake"]
    let compileNs: Int? = nil
    let placement: [String: Double] = [:]

    private let cell: JobCell
    private let behaviour: FakeBehaviour
    private let outputs: Tensors
    private let clock: FakeClock?
    private var runs = 0

    init(cell: JobCell, behaviour: FakeBehaviour, outputs: Tensors, clock: FakeClock?) {
        self.cell = cell
        self.behaviour = behaviour
        self.outputs = outputs
        self.clock = clock
    }

    func feed(_ inputs: Tensors) throws {
        for input in cell.inputs where inputs[input.name] == nil {
            throw EngineError.failed("no tensor \(input.name) was fed")
        }
        clock?.advance(1_000_000)
    }

    func invoke() throws {
        clock?.advance(runs == 0 ? behaviour.firstNs : behaviour.runNs)
        clock?.recordRun(of: cell.subject.path)
        runs += 1
        if runs > behaviour.failsAfter { throw EngineError.failed("device lost\nmore") }
    }

    func fetch() throws -> Tensors {
        clock?.advance(500_000)
        return outputs.mapValues { tensor in
            Tensor(shape: tensor.shape, values: tensor.values.map { $0 + behaviour.outputError })
        }
    }

    func close() {}
}
