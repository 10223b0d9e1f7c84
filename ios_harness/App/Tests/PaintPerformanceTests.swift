import CoreGraphics
import StyleHarness
import StyleHarnessCoreML
import XCTest

@testable import StyleExport

/// Time and memory of one painting on this device, with the artifact in the app's bundle.
final class PaintPerformanceTests: XCTestCase {
    func testOnePainting() async throws {
        let store = ArtifactStore(bundled: AppFolders.bundled, imported: AppFolders.imported)
        guard let artifact = store.artifacts().first else {
            throw XCTSkip("no artifact: `styleexport harness sync ARTIFACT --into ios` bundles one")
        }
        let suffix = AppleEngine.suffix(for: artifact.manifest)
        let job = JobFact.local(
            for: artifact.manifest, suffix: suffix, version: AppVersion.name
        )
        let engine = await AppleEngine.prepared(for: job.cells, in: artifact, isTimed: false)
        let painter = Painter(artifact: artifact, engine: engine, suffix: suffix)
        defer { painter.close() }
        let photo = try ImagePhoto(image: XCTUnwrap(PictureCoder.image(of: Self.gradient)))
        let style = try style(of: artifact, painter: painter, photo: photo)
        var options = PaintOptions()
        // Of a network that paints by optimization: enough to see what one costs.
        options.iterations = 10
        measure(metrics: [XCTClockMetric(), XCTMemoryMetric()]) {
            XCTAssertNoThrow(try painter.paint(photo, style: style, options: options))
        }
    }

    private static var gradient: RGBPicture {
        let size = PictureSize(height: 480, width: 640)
        let bytes = (0..<3 * size.height * size.width).map { UInt8(truncatingIfNeeded: $0 / 97) }
        return RGBPicture(size: size, bytes: bytes)
    }

    private func style(
        of artifact: Artifact, painter: Painter, photo: ImagePhoto
    ) throws -> StyleChoice {
        if painter.isFixedStyle { return .fixed }
        if let code = try artifact.styleCodes().values.first { return .code(code.values) }
        return .picture(photo)
    }
}
