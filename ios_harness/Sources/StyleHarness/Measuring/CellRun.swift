import Foundation

/// Measurement of one cell: its session, its inputs, and the part of the report that it fills.
final class CellRun {
    private static let longestMessage = 300
    private static let longestPicture = 400_000

    let cell: JobCell
    private(set) var fact: CellFact
    private var session: (any Session)?
    private var inputs: Tensors = [:]
    private let host: any BenchHost

    init(cell: JobCell, host: any BenchHost) {
        self.cell = cell
        self.host = host
        fact = CellFact(
            subject: cell.subject, runner: cell.reportedRunner, requested: cell.requested,
            size: cell.size, status: .failed, message: "was not reached"
        )
    }

    /// Whether the cell can be timed.
    var isReady: Bool { session != nil }

    /// Load the file twice, check it on its probe, and warm it up.
    func prepare(with engine: any Engine, in artifact: Artifact, plan: PlanFact) {
        attempt {
            host.progress("\(cell.subject.path): loading")
            fact.idleRssBytes = host.memoryBytes()
            let loaded = try load(with: engine, file: artifact.url(of: cell.subject.path))
            session = loaded
            fact.effective = loaded.effective
            fact.placement = loaded.placement
            let probe = try SafetensorsFile.tensors(
                of: Data(contentsOf: artifact.url(of: cell.probe))
            )
            inputs = try cell.inputs.reduce(into: [:]) { inputs, input in
                guard let tensor = probe[input.name] else {
                    throw EngineError.failed("the probe has no tensor \(input.name)")
                }
                inputs[input.name] = tensor
            }
            guard try passesProbe(loaded, probe) else { return close() }
            host.progress("\(cell.subject.path): warming up")
            fact.warmUpNs = try warmUp(loaded, rule: WarmUpRule(plan: plan))
        }
    }

    /// Take one turn: at least the planned number of samples, for at least the planned time.
    func takeTurn(plan: PlanFact) {
        attempt {
            guard let session else { return }
            for _ in 0..<plan.settlingRuns {
                _ = try run(session)
            }
            let end = host.now() + Int(plan.seconds * 1e9)
            // Only durations are kept: the outputs of a turn would fill the memory.
            var samples: [RunTimes] = []
            while samples.count < plan.minSamples || host.now() < end {
                samples.append(try run(session).times)
            }
            fact.roundsNs.append(samples.map(\.runNs))
            fact.preNs += samples.map(\.preNs)
            fact.postNs += samples.map(\.postNs)
            fact.status = .measured
            fact.message = ""
            recordMemory()
        }
    }

    /// Release the session and its inputs.
    func close() {
        session?.close()
        session = nil
        inputs = [:]
    }

    private func load(with engine: any Engine, file: URL) throws -> any Session {
        var loads: [Int] = []
        func timedLoad() throws -> any Session {
            let begin = host.now()
            let session = try engine.open(file, cell: cell)
            loads.append(host.now() - begin)
            return session
        }
        let cold = try timedLoad()
        fact.compileNs = cold.compileNs
        cold.close()
        let warm = try timedLoad()
        fact.loadsNs = loads
        recordMemory()
        return warm
    }

    /// Run the probe once and return whether its parity passes.
    private func passesProbe(_ session: any Session, _ probe: Tensors) throws -> Bool {
        let first = try run(session)
        let parity = try ProbeCheck.parity(of: cell, outputs: first.outputs, probe: probe)
        fact.parity = parity
        recordMemory()
        guard parity.passes else {
            clearSamples()
            fact.status = .wrong
            fact.message = parity.summary
            return false
        }
        fact.firstNs = first.times.runNs
        let picture = host.picture(of: first.outputs, cell: cell)
        fact.picture = (picture?.utf8.count ?? .max) <= Self.longestPicture ? picture : nil
        return true
    }

    private func warmUp(_ session: any Session, rule: WarmUpRule) throws -> [Int] {
        var samples: [Int] = []
        let begin = host.now()
        repeat {
            samples.append(try run(session).times.runNs)
        } while !rule.isDone(samples, seconds: Double(host.now() - begin) / 1e9)
        return samples
    }

    private func run(_ session: any Session) throws -> TimedRun {
        try withAutoreleasePool { try TimedRun(session, inputs: inputs, host: host) }
    }

    /// All cells share the process: its memory at most while this cell took part.
    private func recordMemory() {
        guard let bytes = host.memoryBytes() else { return }
        fact.peakRssBytes = max(fact.peakRssBytes ?? 0, bytes)
    }

    /// Run a step; record its failure in this cell, so that the other cells continue.
    private func attempt(_ step: () throws -> Void) {
        do {
            if host.isCancelled() { throw EngineError.failed("was stopped") }
            try step()
        } catch {
            clearSamples()
            (fact.status, fact.message) = Self.outcome(of: error)
            close()
        }
    }

    private func clearSamples() {
        (fact.roundsNs, fact.preNs, fact.postNs, fact.warmUpNs) = ([], [], [], [])
        (fact.firstNs, fact.picture) = (nil, nil)
    }

    /// Return the status and message of an error for the report.
    private static func outcome(of error: any Error) -> (CellStatus, String) {
        switch error {
        case EngineError.unavailable(let reason): (.unavailable, line(reason))
        case EngineError.outOfMemory(let reason): (.outOfMemory, line(reason))
        case EngineError.failed(let reason): (.failed, line(reason))
        default: (.failed, line("\(error)"))
        }
    }

    private static func line(_ text: String) -> String {
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return words.isEmpty ? "the runtime gave no reason" : String(words.prefix(longestMessage))
    }
}

/// Outputs and durations of one run.
private struct TimedRun {
    let outputs: Tensors
    let times: RunTimes

    init(_ session: any Session, inputs: Tensors, host: any BenchHost) throws {
        let begin = host.now()
        try session.feed(inputs)
        let fed = host.now()
        try session.invoke()
        let invoked = host.now()
        outputs = try session.fetch()
        let end = host.now()
        times = RunTimes(preNs: fed - begin, runNs: invoked - fed, postNs: end - invoked)
    }
}

/// Durations of input conversion, inference and output conversion.
private struct RunTimes {
    let preNs: Int
    let runNs: Int
    let postNs: Int
}
