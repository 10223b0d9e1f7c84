import Foundation

/// The protocol of the desktop benchmark: check each cell on its probe, warm it up, time in turns.
///
/// It blocks its thread until it is done, so that nothing runs between two readings of the clock.
public struct Measurement {
    private let engine: any Engine
    private let host: any BenchHost

    public init(engine: any Engine, host: any BenchHost) {
        self.engine = engine
        self.host = host
    }

    /// Measure the cells of a job; return them in its order.
    public func cells(of job: JobFact, in artifact: Artifact) -> [CellFact] {
        let runs = job.cells.map { CellRun(cell: $0, host: host) }
        var random = SeededRandom(seed: job.plan.seed)
        for group in CellGroups.indices(ofSizes: job.cells.map(\.size)) {
            let members = group.map { runs[$0] }
            members.forEach { $0.prepare(with: engine, in: artifact, plan: job.plan) }
            takeTurns(members, plan: job.plan, random: &random)
            members.forEach { $0.close() }
        }
        return runs.map(\.fact)
    }

    /// Return the protocol for the report.
    public func protocolFact(of plan: PlanFact) -> ProtocolFact {
        ProtocolFact(
            rounds: plan.rounds,
            seconds: plan.seconds,
            minSamples: plan.minSamples,
            warmUp: WarmUpRule(plan: plan).summary,
            interleaved: true,
            ownProcess: false,
            clock: host.clockName,
            clockResolutionNs: host.clockResolutionNs()
        )
    }

    private func takeTurns(_ members: [CellRun], plan: PlanFact, random: inout SeededRandom) {
        for round in 1...max(1, plan.rounds) {
            for run in random.shuffled(members.filter(\.isReady)) {
                host.progress("round \(round) of \(plan.rounds): \(run.cell.subject.path)")
                run.takeTurn(plan: plan)
            }
        }
    }
}

/// Builds the report of a job: the device, its state before and after, and every cell.
public struct Reporter {
    private let measurement: Measurement
    private let machine: MachineFact
    private let isDebugBuild: Bool?
    private let state: @Sendable () -> StateFact

    /// - Parameters:
    ///   - isDebugBuild: whether the app was built for debugging; nil where it is unknown.
    ///   - state: returns the current temperature and charge of the device.
    public init(
        measurement: Measurement, machine: MachineFact, isDebugBuild: Bool? = nil,
        state: @escaping @Sendable () -> StateFact
    ) {
        self.measurement = measurement
        self.machine = machine
        self.isDebugBuild = isDebugBuild
        self.state = state
    }

    /// Measure a job on an artifact and return its report.
    public func report(of job: JobFact, in artifact: Artifact) -> LatencyReport {
        let created = Date().formatted(.iso8601)
        let before = state()
        let cells = measurement.cells(of: job, in: artifact)
        return LatencyReport(
            harness: HarnessFact(
                name: .ios, version: job.version, commit: job.commit, debuggable: isDebugBuild),
            created: created,
            nonce: job.nonce,
            command: job.command,
            machine: machine,
            before: before,
            after: state(),
            protocol: measurement.protocolFact(of: job.plan),
            cells: cells
        )
    }
}
