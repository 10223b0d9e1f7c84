import Foundation

/// One cell while it is measured: its session, its inputs, and what the report will say of it.
final class CellRun {
    private static let messageLength = 300

    let wish: CellWish
    private(set) var fact: CellFact
    private var session: (any Session)?
    private var inputs: Tensors = [:]
    private let host: any BenchHost

    init(wish: CellWish, host: any BenchHost) {
        self.wish = wish
        self.host = host
        fact = CellFact(
            subject: wish.subject, runner: wish.reportedRunner, requested: wish.requested,
            size: wish.size, status: .failed, message: "was not reached"
        )
    }

    /// Whether the cell takes turns.
    var isReady: Bool { session != nil }

    /// Load the file twice, prove it on its probe, and run it until it is warm.
    func prepare(with engine: any Engine, in artifact: Artifact, plan: PlanFact) {
        attempt {
            host.say("\(wish.subject.path): loading")
            fact.idleRssBytes = host.memoryBytes()
            let opened = try load(with: engine, file: artifact.url(of: wish.subject.path))
            session = opened
            fact.effective = opened.effective
            fact.placement = opened.placement
            let probe = try SafetensorsFile.tensors(
                of: Data(contentsOf: artifact.url(of: wish.probe))
            )
            inputs = try wish.inputs.reduce(into: [:]) { chosen, input in
                guard let tensor = probe[input.name] else {
                    throw EngineError.failed("the probe holds no tensor \(input.name)")
                }
                chosen[input.name] = tensor
            }
            guard try prove(opened, on: probe) else { return end() }
            host.say("\(wish.subject.path): warming up")
            fact.warmUpNs = try warmUp(opened, rule: WarmUpRule(plan: plan))
        }
    }

    /// Take a turn: at least so many samples, for at least so long.
    func takeTurn(plan: PlanFact) {
        attempt {
            guard let session else { return }
            for _ in 0..<plan.settlingRuns {
                _ = try run(session)
            }
            let end = host.now() + Int(plan.seconds * 1e9)
            // Times alone: the outputs of a turn would fill the memory.
            var samples: [RunTimes] = []
            while samples.count < plan.minSamples || host.now() < end {
                samples.append(try run(session).times)
            }
            fact.roundsNs.append(samples.map(\.runNs))
            fact.preNs += samples.map(\.preNs)
            fact.postNs += samples.map(\.postNs)
            fact.status = .measured
            fact.message = ""
            noteMemory()
        }
    }

    /// Give back what the cell holds.
    func end() {
        session?.close()
        session = nil
        inputs = [:]
    }

    private func load(with engine: any Engine, file: URL) throws -> any Session {
        var loads: [Int] = []
        func timed() throws -> any Session {
            let begin = host.now()
            let opened = try engine.open(file, wish: wish)
            loads.append(host.now() - begin)
            return opened
        }
        let cold = try timed()
        fact.compileNs = cold.compileNs
        cold.close()
        let warm = try timed()
        fact.loadsNs = loads
        noteMemory()
        return warm
    }

    /// Return whether the first run gives what the probe expects.
    private func prove(_ session: any Session, on probe: Tensors) throws -> Bool {
        let first = try run(session)
        let parity = try ProbeParity.fact(of: wish, outputs: first.outputs, probe: probe)
        fact.parity = parity
        noteMemory()
        guard parity.measuredDb >= wish.allowedDb else {
            clearSamples()
            fact.status = .wrong
            fact.message =
                "\(WarmUpRule.plain(parity.measuredDb)) dB on the probe, at least "
                + "\(WarmUpRule.plain(wish.allowedDb)) dB allowed"
            return false
        }
        fact.firstNs = first.times.runNs
        let picture = host.picture(of: first.outputs, wish: wish)
        fact.picture = (picture?.utf8.count ?? .max) <= JSONLimits.picture ? picture : nil
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
        try scope { try TimedRun(session, inputs: inputs, host: host) }
    }

    /// The process is one for all cells: this is what it held at most while this one took part.
    private func noteMemory() {
        guard let bytes = host.memoryBytes() else { return }
        fact.peakRssBytes = max(fact.peakRssBytes ?? 0, bytes)
    }

    /// Note what goes wrong with this cell, so that the others go on.
    private func attempt(_ action: () throws -> Void) {
        do {
            if host.isCancelled() { throw EngineError.failed("was stopped") }
            try action()
        } catch {
            clearSamples()
            (fact.status, fact.message) = Self.outcome(of: error)
            end()
        }
    }

    private func clearSamples() {
        (fact.roundsNs, fact.preNs, fact.postNs, fact.warmUpNs) = ([], [], [], [])
        (fact.firstNs, fact.picture) = (nil, nil)
    }

    /// Return what an error means for the report.
    static func outcome(of error: any Error) -> (CellStatus, String) {
        switch error {
        case EngineError.unavailable(let reason): (.unavailable, line(reason))
        case EngineError.outOfMemory(let reason): (.outOfMemory, line(reason))
        case EngineError.failed(let reason): (.failed, line(reason))
        default: (.failed, line("\(error)"))
        }
    }

    private static func line(_ text: String) -> String {
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return words.isEmpty ? "the runtime gave no reason" : String(words.prefix(messageLength))
    }
}

/// Run something in an autorelease pool where there is one: frameworks leave buffers in it.
private func scope<Value>(_ action: () throws -> Value) rethrows -> Value {
    #if canImport(ObjectiveC)
    try autoreleasepool(invoking: action)
    #else
    try action()
    #endif
}
