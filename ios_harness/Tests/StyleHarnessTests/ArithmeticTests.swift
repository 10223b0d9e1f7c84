import XCTest

@testable import StyleHarness

final class ArithmeticTests: XCTestCase {
    func testPixels() throws {
        for item in try ArithmeticCases.read().pixels {
            let actual = item.format.floats(ofRGB: item.rgb, height: item.height, width: item.width)
            assertNear(actual, item.expected, item.name)
        }
    }

    func testFloats() throws {
        for item in try ArithmeticCases.read().floats {
            let actual = item.format.rgb(
                ofFloats: item.floats, height: item.height, width: item.width
            )
            XCTAssertEqual(actual, item.expected, item.name)
        }
    }

    func testNaNIsBlack() {
        let actual = PixelFormat.harness.rgb(ofFloats: [.nan, 1, 0], height: 1, width: 1)
        XCTAssertEqual(actual, [0, 255, 0])
    }

    func testPeakSignalToNoise() throws {
        for item in try ArithmeticCases.read().psnr {
            let actual = PeakSignalToNoise(
                output: item.output.map { $0 ?? .nan }, reference: item.reference, peak: item.peak
            )
            XCTAssertEqual((actual.db * 100).rounded() / 100, item.expectedDb, accuracy: 1e-9)
        }
    }

    func testLargestDifference() {
        let actual = PeakSignalToNoise(output: [0.5, 0.25, 1], reference: [0.5, 0.5, 1], peak: 1)
        XCTAssertEqual(actual.maxAbsError, 0.25)
    }

    func testHalfFloats() {
        let known: [(UInt16, Float)] = [
            (0x0000, 0), (0x3C00, 1), (0xC000, -2), (0x3555, 0.33325195), (0x7BFF, 65504),
            (0x0001, 0x1p-24), (0x03FF, 0x1.ff8p-15), (0x7C00, .infinity), (0x3800, 0.5),
        ]
        for (bits, expected) in known {
            XCTAssertEqual(HalfFloat.float(ofBits: bits), expected)
        }
        XCTAssertTrue(HalfFloat.float(ofBits: 0x7E00).isNaN)
    }

    func testBlends() throws {
        let manifest = try Manifest(json: ContractFolder.data("manifests/colour-transfer.json"))
        var network = manifest.network
        for item in try ArithmeticCases.read().blend {
            let part = CodePartFact(name: "code", shape: [item.codes[0].count])
            network.codeLayout = CodeLayoutFact(
                parts: [part], blending: item.blending, reason: "the reason"
            )
            let blend = {
                try StyleBlend.blended(item.codes, weights: item.weights, network: network)
            }
            if let expected = item.expected {
                assertNear(try XCTUnwrap(blend()), expected, "\(item.weights)")
            } else {
                XCTAssertThrowsError(try blend()) { XCTAssertEqual("\($0)", item.error) }
            }
        }
        let wrong: [([[Float]], [Double])] = [
            ([[1]], [0]), ([[1], [2]], [1, -0.5]), ([[1], [2, 3]], [1, 1]),
        ]
        for (codes, weights) in wrong {
            XCTAssertNil(try StyleBlend.blended(codes, weights: weights, network: network))
        }
    }

    func testFrames() throws {
        for item in try ArithmeticCases.read().frame {
            let plan = FramePlan(
                picture: PictureSize(height: item.picture[1], width: item.picture[0]),
                outer: item.outer.map { PictureSize(height: $0[0], width: $0[1]) },
                maxSide: item.maxSide,
                minSide: item.minSide
            )
            let expected = item.expected
            XCTAssertEqual([plan.inner.height, plan.inner.width], expected.inner)
            XCTAssertEqual([plan.outer.height, plan.outer.width], expected.outer)
            XCTAssertEqual([plan.top, plan.left], [expected.top, expected.left])
        }
    }

    func testBestSizes() throws {
        for item in try ArithmeticCases.read().bestSize {
            let sizes = item.sizes.map { PictureSize(height: $0[0], width: $0[1]) }
            let picture = PictureSize(height: item.picture[1], width: item.picture[0])
            let best = picture.best(of: sizes) { $0 }
            XCTAssertEqual([best?.height, best?.width], item.expected.map(Optional.some))
        }
    }

    func testMirrors() throws {
        for item in try ArithmeticCases.read().mirror {
            let actual = MirroredAxis.indices(
                length: item.length, before: item.before, after: item.after
            )
            XCTAssertEqual(actual, item.expected)
        }
    }

    private func assertNear(_ actual: [Float], _ expected: [Float], _ name: String) {
        XCTAssertEqual(actual.count, expected.count, name)
        for (value, target) in zip(actual, expected) {
            XCTAssertEqual(value, target, accuracy: 1e-6 * max(1, abs(target)), name)
        }
    }
}
