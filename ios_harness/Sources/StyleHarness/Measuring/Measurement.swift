import Foundation

/// The protocol of the desktop bench, on a device: every cell proven, warmed, then timed in turns.
///
/// It blocks its thread until all is done, so that nothing comes between two readings of the clock.
public struct Measurement {
    private let engine: any Engine
    private let host: any BenchHost

    public init(engine: any Engine, host: any BenchHost) {
        self.engine = engine
        self.host = host
    }

    /// Return what was measured of each cell of a job, in its order.
    public func cells(of job: JobFact, in artifact: Artifact) -> [CellFact] {
        let runs = job.cells.map { CellRun(wish: $0, host: host) }
        var random = SeededRandom(seed: job.plan.seed)
        for group in CellGroups.indices(ofSizes: job.cells.map(\.size)) {
            let members = group.map { runs[$0] }
            members.forEach { $0.prepare(with: engine, in: artifact, plan: job.plan) }
            takeTurns(members, plan: job.plan, random: &random)
            members.forEach { $0.end() }
        }
        return runs.map(\.fact)
    }

    /// Return the protocol as the report has it.
    public func fact(of plan: PlanFact) -> ProtocolFact {
        ProtocolFact(
            rounds: plan.rounds,
            seconds: plan.seconds,
            minSamples: plan.minSamples,
            warmUp: WarmUpRule(plan: plan).words,
            interleaved: true,
            ownProcess: false,
            clock: host.clockName,
            clockResolutionNs: host.clockResolutionNs()
        )
    }

    private func takeTurns(_ members: [CellRun], plan: PlanFact, random: inout SeededRandom) {
        for round in 1...max(1, plan.rounds) {
            for run in random.shuffled(members.filter(\.isReady)) {
                host.say("round \(round) of \(plan.rounds): \(run.wish.subject.path)")
                run.takeTurn(plan: plan)
            }
        }
    }
}
