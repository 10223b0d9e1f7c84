import StyleHarnessFake
import XCTest

@testable import StyleHarness

/// Painting by optimization with `manifests/optimization.json`; its files are computed here.
final class OptimizationTests: XCTestCase {
    private let photo = FakePhoto(size: PictureSize(height: 40, width: 30), colour: 128)
    private let code: [Float] = [0.25, 0.5, 0.75, 0, 0, 0]
    private var folder = URL(filePath: "/")

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    func testThePictureApproachesTheStyle() throws {
        var losses: [Double] = []
        let painter = try painter()
        defer { painter.close() }
        XCTAssertTrue(painter.isOptimization)
        XCTAssertEqual(painter.defaultIterations, 100)
        let painting = try painter.paint(photo, style: .code(code), options: options(20)) {
            losses.append($0.bestLoss)
            XCTAssertEqual($0.iterations, 20)
            XCTAssertEqual($0.iteration, losses.count)
            // 30x40 fits 12x8 as 6x8.
            XCTAssertEqual(try? $0.preview().size, PictureSize(height: 8, width: 6))
            return true
        }
        XCTAssertEqual(painting.picture.size, PictureSize(height: 8, width: 6))
        XCTAssertEqual(painting.path, "colour-transfer_step_8x12_fp32.mlpackage")
        let result = try XCTUnwrap(painting.optimization)
        XCTAssertEqual(losses, losses.sorted(by: >))
        XCTAssertLessThanOrEqual(result.bestLoss, try XCTUnwrap(losses.last))
        // The content weighs as much as the style: the colour lies halfway.
        XCTAssertEqual(Array(painting.picture.bytes.prefix(3)).map(Int.init), [96, 128, 160])
    }

    func testWithoutStrengthItIsThePhoto() throws {
        var options = options(20)
        options.strength = 0
        let painting = try painter().paint(photo, style: .code(code), options: options)
        XCTAssertEqual(Set(painting.picture.bytes), [128])
        XCTAssertEqual(painting.optimization?.ending, .converged)
        XCTAssertEqual(painting.optimization?.note, "converged at iteration 1, best loss 0")
    }

    func testItCanBeStopped() throws {
        let painting = try painter().paint(photo, style: .code(code), options: options(20)) {
            $0.iteration < 3
        }
        XCTAssertEqual(painting.optimization?.ending, .stopped)
        XCTAssertEqual(painting.optimization?.iterations, 3)
    }

    func testItKeepsTheBestWhenItDiverges() throws {
        for (loss, last) in [(Float.nan, 4), (1e9, 6)] {
            // The first run is that of the probe.
            let painter = try painter { $0 < 5 ? 0 : loss }
            let stopped = try self.painter().paint(
                photo, style: .code(code), options: options(2)
            )
            let painting = try painter.paint(photo, style: .code(code), options: options(20))
            XCTAssertEqual(painting.picture, stopped.picture)
            let note = painting.optimization?.note ?? ""
            XCTAssertTrue(note.hasPrefix("diverged at iteration \(last) with a loss of "), note)
        }
    }

    func testTheLastImageIsEvaluatedToo() throws {
        let start = Tensor(shape: [2], values: [3, 4])
        let rules = OptimizationFact(
            algorithm: .lbfgs, history: 10, learningRate: 1, firstChange: 1, iterations: 9,
            divergence: 10, patience: 1
        )
        for (last, ending) in [(0.5, .finished), (99, .diverged(loss: 99))]
            as [(Double, OptimizationResult.Ending)]
        {
            var losses = [4, 3, 2, last]
            let (_, result) = try Optimization(rules: rules, iterations: 3).run(from: start) { _ in
                (losses.removeFirst(), Tensor(shape: [2], values: [1, Float(losses.count)]))
            } report: { _ in
                true
            }
            let expected = OptimizationResult(
                iterations: 3, bestLoss: min(2, last), ending: ending
            )
            XCTAssertEqual(result, expected)
        }
    }

    func testTheFirstStepChangesPixelsByWhatTheManifestSays() throws {
        let rules = OptimizationFact(
            algorithm: .lbfgs, history: 10, learningRate: 1, firstChange: 0.01, iterations: 9,
            divergence: 10, patience: 1
        )
        var images: [[Float]] = []
        let start = Tensor(shape: [4], values: [0.5, 0.5, 0.5, 0.5])
        _ = try Optimization(rules: rules, iterations: 1).run(from: start) { image in
            images.append(image.values)
            return (4 - Double(images.count), Tensor(shape: [4], values: [300, -100, 0, 0]))
        } report: { _ in
            true
        }
        XCTAssertEqual(images.count, 2)
        // A total of 4 · 0.01, in the proportions of the gradient.
        for (value, expected) in zip(images[1], [0.47, 0.51, 0.5, 0.5]) {
            XCTAssertEqual(Double(value), expected, accuracy: 1e-6)
        }
    }

    func testAFileThatIsWrongHereIsNotIterated() throws {
        let painter = try painter { _ in 1 }
        assertFails("computes wrong values on this device") {
            try painter.paint(photo, style: .code(code), options: options(20))
        }
    }

    func testRolesAreMeasuredWithTheInputsOfTheirProbes() throws {
        _ = try painter()
        let artifact = try Artifact(folder: folder)
        let plan = PlanFact(rounds: 2, seconds: 0.01, minSamples: 2, warmUpLeastSeconds: 0)
        let job = JobFact.local(
            for: artifact.manifest, suffix: ".mlpackage", version: "", plan: plan
        )
        let host = FakeHost(clock: FakeClock())
        let measurement = Measurement(
            engine: FakeEngine(artifact: folder, clock: host.clock), host: host
        )
        let cells = measurement.cells(of: job, in: artifact)
        XCTAssertEqual(cells.map(\.subject.role), [.encode, .content, .step])
        for cell in cells {
            XCTAssertEqual(cell.status, .measured, cell.message)
            XCTAssertEqual(cell.roundsNs.count, 2)
            XCTAssertEqual(cell.parity?.passes, true)
        }
    }

    func testALossThatIsNeverFiniteIsAnError() throws {
        let painter = try painter { $0 < 2 ? 0 : .nan }
        assertFails("the loss of the photo, or its gradient, is not finite") {
            try painter.paint(photo, style: .code(code), options: options(20))
        }
    }

    func testWhatCannotBeIterated() throws {
        assertFails("no content file of 12x8") {
            try painter(without: "content").paint(photo, style: .code(code), options: options(1))
        }
        assertFails("no encode file") {
            try painter(without: "encode").paint(
                photo, style: .picture(photo), options: options(1)
            )
        }
        assertFails("choose a style") {
            try painter().paint(photo, style: .fixed, options: options(1))
        }
    }

    func testTheWorstOutputCountsOnAProbe() throws {
        let manifest = try Manifest(json: ContractFolder.data("manifests/optimization.json"))
        let file = try XCTUnwrap(manifest.files.first { $0.role == .step })
        let size = SizeFact(height: 8, width: 12)
        let cell = JobCell(file, of: manifest, size: size, probe: "probe", settings: [:])
        let probe = [
            "loss": Tensor(shape: [1], values: [100]),
            "gradient": Tensor(shape: [1, 3, 1, 1], values: [1, -2, 0]),
        ]
        var outputs = probe
        outputs["gradient"] = Tensor(shape: [1, 3, 1, 1], values: [1, -2, 0.02])
        let parity = try ProbeCheck.parity(of: cell, outputs: outputs, probe: probe)
        // 10·log10(2² · 3 / 0.02²)
        XCTAssertEqual(parity.measuredDb, 44.77)
        XCTAssertEqual(parity.maxAbsError, 0.02)
        outputs["gradient"] = nil
        XCTAssertThrowsError(try ProbeCheck.parity(of: cell, outputs: outputs, probe: probe))
    }

    private func options(_ iterations: Int) -> PaintOptions {
        var options = PaintOptions()
        options.iterations = iterations
        return options
    }

    /// Return a painter of the fixture's files; `fault` is added to the loss of each step.
    private func painter(
        without role: String? = nil, fault: @escaping @Sendable (Int) -> Float = { _ in 0 }
    ) throws -> Painter {
        let json = try ContractFolder.data("manifests/optimization.json")
        var whole = try XCTUnwrap(JSONSerialization.jsonObject(with: json) as? [String: Any])
        let files = try XCTUnwrap(whole["files"] as? [[String: Any]])
        whole["files"] = files.filter { $0["role"] as? String != role }
        let probes = folder.appending(path: "probes")
        if !FileManager.default.fileExists(atPath: probes.path) {
            try FileManager.default.copyItem(
                at: ContractFolder.url.appending(path: "probes"), to: probes
            )
        }
        try JSONSerialization.data(withJSONObject: whole).write(
            to: folder.appending(path: Manifest.fileName)
        )
        return Painter(
            artifact: try Artifact(folder: folder), engine: ColourEngine(fault: fault),
            suffix: ".mlpackage"
        )
    }

    private func assertFails(_ words: String, _ action: () throws -> Painting) {
        XCTAssertThrowsError(try action()) { error in
            XCTAssertTrue("\(error)".contains(words), "\(error)")
        }
    }
}

/// Engine whose files compute a loss of colours: distances of each pixel from the content, and from
/// the mean colour of the style.
private struct ColourEngine: Engine {
    let fault: @Sendable (Int) -> Float

    func open(_ file: URL, cell: JobCell) -> any Session {
        ColourSession(role: cell.subject.role, fault: fault)
    }
}

private final class ColourSession: Session {
    let effective = ["engine": "colours"]
    let compileNs: Int? = nil
    let placement: [String: Double] = [:]
    private let role: Role
    private let fault: @Sendable (Int) -> Float
    private var fed: Tensors = [:]
    private var runs = 0

    init(role: Role, fault: @escaping @Sendable (Int) -> Float) {
        self.role = role
        self.fault = fault
    }

    func feed(_ inputs: Tensors) { fed = inputs }
    func invoke() { runs += 1 }
    func close() {}

    func fetch() throws -> Tensors {
        switch role {
        case .encode:
            let image = try tensor("style").values
            let means = (0..<3).map { image[$0 * image.count / 3] }
            return ["style_code": Tensor(shape: [1, 6], values: means + [0, 0, 0])]
        case .content:
            let image = try tensor("content").values
            return ["content_target": Tensor(shape: [1, image.count], values: image)]
        default:
            return try step()
        }
    }

    private func step() throws -> Tensors {
        let image = try tensor("image")
        let target = try tensor("content_target").values
        let (code, strength) = (try tensor("style_code").values, try tensor("strength").values[0])
        var loss: Float = 0
        let gradient = image.values.enumerated().map { index, value in
            let content = value - target[index]
            let style = value - code[index * 3 / image.values.count]
            // Weights that differ, so that it takes more than one step.
            let weight = Float(1 + index % 7)
            loss += weight * (content * content + strength * style * style)
            return 2 * weight * (content + strength * style)
        }
        return [
            "loss": Tensor(shape: [1], values: [loss + fault(runs)]),
            "gradient": Tensor(shape: image.shape, values: gradient),
        ]
    }

    private func tensor(_ name: String) throws -> Tensor {
        guard let tensor = fed[name] else { throw EngineError.failed("no tensor \(name)") }
        return tensor
    }
}
