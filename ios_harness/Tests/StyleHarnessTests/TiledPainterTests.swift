import XCTest

@testable import StyleHarness

/// Painting in tiles with `manifests/tiling.json`; its passes are those of `SmallEngine`.
final class TiledPainterTests: XCTestCase {
    private var folder = URL(filePath: "/")
    private var probe: Tensors = [:]
    private let size = PictureSize(height: 50, width: 61)

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        let probes = folder.appending(path: "probes")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            at: ContractFolder.url.appending(path: "probes"), to: probes
        )
        try ContractFolder.data("manifests/tiling.json").write(
            to: folder.appending(path: Manifest.fileName)
        )
        probe = try SafetensorsFile.tensors(
            of: ContractFolder.data("probes/colour-transfer_render_50x61.safetensors")
        )
    }

    override func tearDownWithError() throws {
        XCTAssertEqual(try stored(), [])
        try FileManager.default.removeItem(at: folder)
    }

    func testTilesPaintWhatTheNetworkPaintsOfTheWholePicture() throws {
        let engine = SmallEngine()
        let painter = try tiledPainter(engine)
        assertNear(try painter.painting(of: probe), probe["image"])
        XCTAssertEqual(engine.opened.paths, painter.tiling.passes.map(\.path))
        XCTAssertEqual(try painter.total(of: size), 21)
    }

    func testAnotherStrengthIsRenderedFromTheSameFeatures() throws {
        let engine = SmallEngine()
        let painter = try tiledPainter(engine)
        var seen: [TileProgress] = []
        let features = try painter.features(of: picture(), keeping: true) {
            seen.append($0)
            return true
        }
        defer { features.close() }
        var inputs = probe
        inputs["strength"] = Tensor(shape: [1], values: [0])
        let weak = try rendered { write in
            try painter.render(
                features, inputs: inputs,
                report: {
                    seen.append($0)
                    return true
                },
                write: write
            )
        }
        let strong = try rendered { write in
            try painter.render(features, inputs: probe, report: { _ in true }, write: write)
        }
        assertNear(strong, probe["image"])
        XCTAssertGreaterThan(zip(weak.values, strong.values).map { abs($0 - $1) }.max() ?? 0, 0.02)
        XCTAssertEqual(seen, (1...21).map { TileProgress(done: $0, total: 21) })
        let paths = painter.tiling.passes.map(\.path)
        XCTAssertEqual(engine.opened.paths, paths + paths.dropFirst())
    }

    func testWhatIsCancelledLeavesNothing() throws {
        let painter = try tiledPainter(SmallEngine())
        for last in [1, 5, 9] {
            XCTAssertThrowsError(
                try painter.features(of: picture(), keeping: true) { $0.done < last }
            ) { XCTAssertTrue($0 is CancellationError, "\($0)") }
            XCTAssertEqual(try stored(), [])
        }
        let features = try painter.features(of: picture(), keeping: true) { _ in true }
        defer { features.close() }
        XCTAssertThrowsError(
            try painter.render(features, inputs: probe, report: { $0.done < 14 }) { _, _, _ in }
        ) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        XCTAssertEqual(features.store.names, ["map_0"])
        let again = try rendered { write in
            try painter.render(features, inputs: probe, report: { _ in true }, write: write)
        }
        assertNear(again, probe["image"])
    }

    func testFeaturesThatAreNotKeptAreUsedUp() throws {
        let painter = try tiledPainter(SmallEngine())
        let features = try painter.features(of: picture(), keeping: false) { _ in true }
        try painter.render(features, inputs: probe, report: { _ in true }) { _, _, _ in }
        XCTAssertEqual(features.store.names, [])
        features.close()
    }

    func testPicturesOfEverySize() throws {
        let painter = try tiledPainter(SmallEngine())
        for (height, width) in [(1, 1), (3, 200), (24, 32), (25, 33)] {
            let values = (0..<3 * height * width).map { Float($0 * 7 % 11) / 10 }
            var inputs = probe
            inputs["content"] = Tensor(shape: [1, 3, height, width], values: values)
            XCTAssertEqual(try painter.painting(of: inputs).shape, [1, 3, height, width])
        }
    }

    func testWhatCannotBePainted() throws {
        let broken = SmallEngine { outputs in
            guard let map = outputs["map_1"] else { return }
            outputs["map_1"] = Tensor(shape: map.shape, values: map.values.map { _ in .nan })
        }
        assertFails("_render-1_24x32_fp32.mlpackage returned NaN or infinity") {
            _ = try tiledPainter(broken).painting(of: probe)
        }
        var inputs = probe
        inputs["style_code"] = nil
        assertFails("takes style_code, which nothing gives") {
            _ = try tiledPainter(SmallEngine()).painting(of: inputs)
        }
        assertFails("the manifest does not list colour-transfer_features-0") {
            _ = try TiledPainter(tiling: tiling(), files: [], folder: folder) { _ in
                throw EngineError.failed("")
            }
        }
    }

    func testWithoutRoomNothingBegins() throws {
        let engine = SmallEngine()
        let huge = HugePicture(size: PictureSize(height: 30_000_000, width: 30_000_000))
        assertFails("of storage, and") {
            _ = try tiledPainter(engine).features(of: huge, keeping: true) { _ in true }
        }
        XCTAssertEqual(engine.opened.paths, [])
    }

    func testAPhotoIsPaintedAtFullSizeAndRepaintedFromItsFeatures() throws {
        let engine = SmallEngine()
        let painter = try painter(engine)
        defer { painter.close() }
        let photo = ProbePhoto(try RGBPicture(tensor: XCTUnwrap(probe["content"])))
        XCTAssertTrue(painter.hasTiles)
        XCTAssertTrue(painter.paintsInTiles(photo.size))
        XCTAssertFalse(painter.paintsInTiles(PictureSize(height: 8, width: 12)))
        let style = StyleChoice.code(try XCTUnwrap(probe["style_code"]).values)
        var options = PaintOptions()
        options.strength = try XCTUnwrap(probe["strength"]).values[0]
        for number in [1, 2] {
            var seen: [TileProgress] = []
            let painting = try painter.paintFullSize(
                photo, style: style, options: options, folder: folder
            ) {
                seen.append($0)
                return true
            }
            XCTAssertEqual(painting.picture.size, size)
            XCTAssertEqual(painting.effective, ["engine": "small"])
            let note = "61×50 in tiles, \(painting.path), engine small, "
            XCTAssertEqual(painting.note, note + "\(painting.parity.measuredDb) dB on the probe")
            XCTAssertGreaterThan(painting.parity.measuredDb, 110)
            XCTAssertEqual(painting.path, "colour-transfer_render-2_24x32_fp32.mlpackage")
            // Features are kept: nine tiles are done before.
            XCTAssertEqual(seen.first?.done, number == 1 ? 1 : 10)
            let expected = try RGBPicture(tensor: XCTUnwrap(probe["image"])).bytes
            let rows = [UInt8](try painting.picture.mapped())
            XCTAssertEqual(rows.count, 4 * size.height * size.width)
            for (index, byte) in expected.enumerated() {
                XCTAssertEqual(
                    Int(byte), Int(rows[4 * (index / 3) + index % 3]), accuracy: 1, "\(index)"
                )
            }
            XCTAssertEqual(rows[3], 255)
        }
        // The probe, the painting, and the painting that began with the features.
        XCTAssertEqual(engine.opened.paths.count, 3 + 3 + 2)
    }

    func testTilesThatAreWrongHereDoNotPaint() throws {
        let engine = SmallEngine { outputs in
            guard let image = outputs["image"] else { return }
            outputs["image"] = Tensor(
                shape: image.shape, values: image.values.map { $0 + 0.1 }
            )
        }
        let photo = FakePhoto(size: size, colour: 100)
        assertFails("_render-2_24x32_fp32.mlpackage are wrong on this device: 20 dB") {
            _ = try painter(engine).paintFullSize(
                photo, style: .code([0, 0, 0, 1, 1, 1]), options: .init(), folder: folder
            ) { _ in true }
        }
    }

    func testWithoutTilesItSaysWhatToExport() throws {
        let artifact = try Artifact(folder: ContractFolder.artifact)
        let painter = Painter(artifact: artifact, engine: SmallEngine(), suffix: ".mlpackage")
        XCTAssertFalse(painter.hasTiles)
        XCTAssertFalse(painter.paintsInTiles(size))
        assertFails("styleexport export --full") {
            _ = try painter.paintFullSize(
                FakePhoto(size: size, colour: 1), style: .fixed, options: .init(), folder: folder
            ) { _ in true }
        }
    }

    func testPassesAreNotMeasured() throws {
        let manifest = try Manifest(json: ContractFolder.data("manifests/tiling.json"))
        let job = JobFact.local(for: manifest, suffix: ".mlpackage", version: "")
        XCTAssertEqual(job.cells.map(\.subject.role), [.encode, .transform])
        let passes = manifest.passCells(suffix: ".mlpackage", settings: ["units": "all"])
        XCTAssertEqual(passes.map(\.subject.role), [.features, .render, .render])
        XCTAssertEqual(passes[0].requested, ["units": "all"])
    }

    private func stored() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .filter { $0.hasPrefix("maps-") || $0.hasPrefix("painting-") }
    }

    private func picture() throws -> TensorPicture {
        TensorPicture(try XCTUnwrap(probe["content"]))
    }

    private func painter(_ engine: SmallEngine) throws -> Painter {
        Painter(artifact: try Artifact(folder: folder), engine: engine, suffix: ".mlpackage")
    }

    private func tiling() throws -> TilingFact {
        let manifest = try Artifact(folder: folder).manifest
        return try XCTUnwrap(manifest.tilings.first { $0.target == "coreml" })
    }

    private func tiledPainter(_ engine: SmallEngine) throws -> TiledPainter {
        let artifact = try Artifact(folder: folder)
        return try TiledPainter(
            tiling: tiling(), files: artifact.manifest.files, folder: folder
        ) { file in
            let cell = JobCell(
                file, of: artifact.manifest, size: SizeFact(height: 24, width: 32), probe: "",
                settings: [:]
            )
            return engine.open(artifact.url(of: file.path), cell: cell)
        }
    }

    private func rendered(_ render: (TiledPainter.Write) throws -> Void) throws -> Tensor {
        var values = [Float](repeating: .nan, count: 3 * size.height * size.width)
        try render { top, left, pixels in
            let (rows, columns) = (pixels.shape[2], pixels.shape[3])
            for (index, value) in pixels.values.enumerated() {
                let (channel, row) = (index / (rows * columns), index / columns % rows)
                let line = (channel * size.height + top + row) * size.width
                values[line + left + index % columns] = value
            }
        }
        return Tensor(shape: [1, 3, size.height, size.width], values: values)
    }

    private func assertNear(_ actual: Tensor, _ expected: Tensor?) {
        XCTAssertEqual(actual.shape, expected?.shape)
        let worst = zip(actual.values, expected?.values ?? []).map { abs($0 - $1) }.max()
        XCTAssertLessThan(worst ?? 1, 1e-5)
    }

    private func assertFails(_ words: String, _ action: () throws -> Void) {
        XCTAssertThrowsError(try action()) { error in
            XCTAssertTrue("\(error)".contains(words), "\(error)")
        }
    }
}

/// A picture that is never read.
private struct HugePicture: TilePicture {
    let size: PictureSize

    func window(rows: [Int], columns: [Int]) throws -> Tensor {
        throw EngineError.failed("it is read")
    }
}

/// A photo in memory.
private struct ProbePhoto: Photo {
    private let picture: RGBPicture

    init(_ picture: RGBPicture) { self.picture = picture }

    var size: PictureSize { picture.size }
    var identity: AnyHashable { picture }

    func part(top: Int, left: Int, size: PictureSize) -> RGBPicture {
        let rows = (top..<top + size.height).flatMap { row in
            let begin = 3 * (row * picture.size.width + left)
            return picture.bytes[begin..<begin + 3 * size.width]
        }
        return RGBPicture(size: size, bytes: rows)
    }

    func scaled(to size: PictureSize) throws -> RGBPicture {
        throw EngineError.failed("it is scaled")
    }

    func centreCrop(to size: PictureSize) throws -> RGBPicture {
        throw EngineError.failed("it is cropped")
    }
}
