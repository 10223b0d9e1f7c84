import StyleHarnessFake
import XCTest

@testable import StyleHarness

/// The measurement protocol, with a fake engine and a fake clock.
final class ProtocolTests: XCTestCase {
    private let plan = PlanFact(
        rounds: 3, seconds: 0.01, minSamples: 2, settlingRuns: 2, warmUpLeastSeconds: 0.1,
        warmUpSeconds: 1, seed: 7
    )

    func testEveryCellIsCheckedWarmedUpAndTimedInRounds() throws {
        let (cells, host) = try measured(plan: plan)
        XCTAssertEqual(cells.map(\.status), [.measured, .measured])
        let cell = cells[0]
        XCTAssertEqual(cell.runner, "ios")
        XCTAssertEqual(cell.loadsNs, [20_000_000, 20_000_000])
        XCTAssertEqual(cell.firstNs, 50_000_000)
        XCTAssertEqual(Set(cell.warmUpNs), [4_000_000])
        // A run takes 5.5 ms of the clock: 0.1 s of warming up are 19 of them.
        XCTAssertEqual(cell.warmUpNs.count, 19)
        XCTAssertEqual(cell.roundsNs, Array(repeating: [4_000_000, 4_000_000], count: 3))
        XCTAssertEqual(cell.preNs, Array(repeating: 1_000_000, count: 6))
        XCTAssertEqual(cell.postNs, Array(repeating: 500_000, count: 6))
        XCTAssertEqual(cell.parity?.measuredDb, 200)
        XCTAssertEqual(cell.parity?.allowedDb, 90)
        XCTAssertEqual(cell.effective, ["engine": "fake"])
        XCTAssertGreaterThan(try XCTUnwrap(cell.peakRssBytes), try XCTUnwrap(cell.idleRssBytes))
        XCTAssertEqual(cell.message, "")
        XCTAssertTrue(host.progressLines.contains { $0.hasPrefix("round 3 of 3: ") })
    }

    func testATurnHasItsDurationAfterTheSettlingRuns() throws {
        let (cells, host) = try measured(
            plan: PlanFact(rounds: 1, seconds: 0.05, minSamples: 2, warmUpLeastSeconds: 0.1)
        )
        XCTAssertEqual(cells[0].roundsNs[0].count, 10)
        let runs = host.clock.runs.filter { $0 == cells[0].subject.path }.count
        XCTAssertEqual(runs, 1 + cells[0].warmUpNs.count + 2 + 10)
    }

    func testAFileThatFailsItsProbeGetsNoLatency() throws {
        let (cells, _) = try measured(plan: plan) { behaviour, cell in
            if cell.subject.role == .transform { behaviour.outputError = 0.5 }
        }
        XCTAssertEqual(cells.map(\.status), [.measured, .wrong])
        let wrong = cells[1]
        XCTAssertEqual(wrong.message, "6.02 dB on the probe, at least 90 dB allowed")
        XCTAssertEqual(wrong.parity?.measuredDb, 6.02)
        XCTAssertTrue(wrong.samplesNs.isEmpty && wrong.warmUpNs.isEmpty && wrong.firstNs == nil)
    }

    func testNaNFailsTheProbe() throws {
        let (cells, _) = try measured(plan: plan) { behaviour, _ in behaviour.outputError = .nan }
        XCTAssertEqual(cells.map(\.status), [.wrong, .wrong])
    }

    func testAFailureKeepsItsMessageAndNoSamplesAndOtherCellsContinue() throws {
        let (cells, _) = try measured(plan: plan) { behaviour, cell in
            if cell.subject.role == .encode { behaviour.failsAfter = 25 }
        }
        XCTAssertEqual(cells.map(\.status), [.failed, .measured])
        XCTAssertEqual(cells[0].message, "device lost more")
        XCTAssertTrue(cells[0].samplesNs.isEmpty && cells[0].preNs.isEmpty)
        XCTAssertEqual(cells[1].roundsNs.count, 3)
    }

    func testErrorsOfTheEngineKeepTheirStatus() throws {
        for (error, status) in [
            (EngineError.unavailable("no GPU"), CellStatus.unavailable),
            (.outOfMemory("too large"), .outOfMemory), (.failed(""), .failed),
        ] {
            let (cells, _) = try measured(plan: plan) { behaviour, _ in behaviour.openError = error
            }
            XCTAssertEqual(cells[0].status, status)
            XCTAssertFalse(cells[0].message.isEmpty)
        }
    }

    func testACancelledMeasurementIsReported() throws {
        let artifact = try Artifact(folder: ContractFolder.artifact)
        let job = JobFact.local(
            for: artifact.manifest, suffix: ".onnx", version: "test", plan: plan
        )
        let cells = Measurement(engine: FakeEngine(artifact: nil), host: CancelledHost())
            .cells(of: job, in: artifact)
        XCTAssertEqual(Set(cells.map(\.message)), ["was stopped"])
    }

    func testTheReportCanBeRead() throws {
        let clock = FakeClock()
        let artifact = try Artifact(folder: ContractFolder.artifact)
        let job = JobFact.local(for: artifact.manifest, suffix: ".onnx", version: "1.2", plan: plan)
        let machine = MachineFact(
            device: "fake", os: "none 1", processor: "none", cores: 1, memoryBytes: 2
        )
        let report = Reporter(
            measurement: Measurement(
                engine: FakeEngine(artifact: artifact.folder, clock: clock),
                host: FakeHost(clock: clock)
            ),
            machine: machine
        ) { StateFact(thermal: ThermalFact(scale: .apple, value: 1), charging: true) }
        .report(of: job, in: artifact)
        let read = try LatencyReport(json: report.encoded())
        XCTAssertEqual(read, report)
        XCTAssertEqual(read.nonce, job.nonce)
        XCTAssertEqual(read.harness, HarnessFact(name: .ios, version: "1.2"))
        XCTAssertEqual(read.protocol.warmUp, WarmUpRule(plan: plan).summary)
        XCTAssertEqual(read.before.thermal?.value, 1)
    }

    func testSummaryOfTheWarmUp() {
        XCTAssertEqual(
            WarmUpRule(plan: PlanFact()).summary,
            "until the median of 5 runs is within 3% of that of the 5 before, at least 0.3 s, "
                + "at most 10 s"
        )
    }

    func testStable() throws {
        for item in try ArithmeticCases.read().stable {
            let rule = WarmUpRule(plan: PlanFact(window: item.window, tolerance: item.tolerance))
            XCTAssertEqual(rule.isStable(item.samples), item.expected, "\(item.samples)")
        }
    }

    func testShuffles() throws {
        for item in try ArithmeticCases.read().shuffle {
            var random = SeededRandom(seed: item.seed)
            let orders = (0..<item.rounds).map { _ in random.shuffled(Array(0..<item.count)) }
            XCTAssertEqual(orders, item.expected)
        }
    }

    func testGroups() throws {
        for item in try ArithmeticCases.read().groups {
            let sizes = item.sizes.map { SizeFact(height: $0[0], width: $0[1]) }
            XCTAssertEqual(CellGroups.indices(ofSizes: sizes), item.expected)
        }
    }

    private func measured(
        plan: PlanFact,
        _ change: @escaping @Sendable (inout FakeBehaviour, JobCell) -> Void = { _, _ in }
    ) throws -> ([CellFact], FakeHost) {
        let clock = FakeClock()
        let host = FakeHost(clock: clock)
        let artifact = try Artifact(folder: ContractFolder.artifact)
        let engine = FakeEngine(artifact: artifact.folder, clock: clock) { cell in
            var behaviour = FakeBehaviour()
            change(&behaviour, cell)
            return behaviour
        }
        let job = JobFact.local(
            for: artifact.manifest, suffix: ".onnx", version: "test", plan: plan
        )
        return (Measurement(engine: engine, host: host).cells(of: job, in: artifact), host)
    }
}

/// A host whose user has stopped the measurement.
private struct CancelledHost: BenchHost {
    let clockName = "none"
    func now() -> Int { 0 }
    func memoryBytes() -> Int? { nil }
    func progress(_ line: String) {}
    func isCancelled() -> Bool { true }
}
