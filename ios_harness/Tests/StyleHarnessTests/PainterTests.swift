import StyleHarnessFake
import XCTest

@testable import StyleHarness

/// Painting with the files of the fixtures; the fake engine returns the golden output of the probe.
final class PainterTests: XCTestCase {
    private let photo = FakePhoto(size: PictureSize(height: 40, width: 30), colour: 100)

    func testAPhotoIsPaintedInItsOwnProportions() throws {
        let painter = try painter()
        defer { painter.close() }
        let painting = try painter.paint(photo, style: .code([0, 0, 0, 1, 1, 1]), options: .init())
        // 30x40 fits 12x8 as 6x8.
        XCTAssertEqual(painting.picture.size, PictureSize(height: 8, width: 6))
        XCTAssertEqual(painting.path, "colour-transfer_transform_8x12_fp32.mlpackage")
        XCTAssertEqual(painting.parity?.measuredDb, 200)
        XCTAssertEqual(painting.effective, ["engine": "fake"])
    }

    func testAStylePictureIsEncoded() throws {
        let painter = try painter()
        XCTAssertTrue(painter.acceptsStylePictures)
        XCTAssertFalse(painter.isFixedStyle)
        XCTAssertEqual(try painter.styleCode(of: photo, options: .init()).count, 6)
        XCTAssertNoThrow(try painter.paint(photo, style: .picture(photo), options: .init()))
    }

    func testAStyleIsNeeded() throws {
        assertFails("choose a style") {
            try painter().paint(photo, style: .fixed, options: .init())
        }
    }

    func testAFileThatIsWrongHereDoesNotPaint() throws {
        let painter = try painter { $0.outputError = 0.2 }
        assertFails("computes wrong values on this device") {
            try painter.paint(photo, style: .code([0, 0, 0, 1, 1, 1]), options: .init())
        }
    }

    func testAnArtifactOfOtherFilesPaintsNothing() throws {
        let artifact = try Artifact(folder: ContractFolder.artifact)
        let engine = FakeEngine(artifact: artifact.folder)
        let painter = Painter(artifact: artifact, engine: engine, suffix: ".other")
        assertFails("has no stylize file") {
            try painter.paint(photo, style: .fixed, options: .init())
        }
    }

    private func painter(_ change: @escaping @Sendable (inout FakeBehaviour) -> Void = { _ in })
        throws -> Painter
    {
        let artifact = try Artifact(folder: ContractFolder.artifact)
        let engine = FakeEngine(artifact: artifact.folder) { _ in
            var behaviour = FakeBehaviour()
            change(&behaviour)
            return behaviour
        }
        return Painter(artifact: artifact, engine: engine, suffix: ".mlpackage")
    }

    private func assertFails(_ words: String, _ action: () throws -> Painting) {
        XCTAssertThrowsError(try action()) { error in
            XCTAssertTrue("\(error)".contains(words), "\(error)")
        }
    }
}

/// A photo of one colour.
struct FakePhoto: Photo {
    let size: PictureSize
    let colour: UInt8

    var identity: AnyHashable { colour }

    func part(top: Int, left: Int, size: PictureSize) -> RGBPicture { scaled(to: size) }

    func scaled(to size: PictureSize) -> RGBPicture {
        RGBPicture(
            size: size, bytes: [UInt8](repeating: colour, count: 3 * size.height * size.width)
        )
    }

    func centreCrop(to size: PictureSize) -> RGBPicture {
        scaled(to: size)
    }
}
