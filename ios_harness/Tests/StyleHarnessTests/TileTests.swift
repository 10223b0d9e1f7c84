import XCTest

@testable import StyleHarness

final class TileTests: XCTestCase {
    func testPlans() throws {
        for item in try ArithmeticCases.read().tiles {
            let plan = TilePlan(
                picture: PictureSize(height: item.picture[0], width: item.picture[1]),
                tile: PictureSize(height: item.tile[0], width: item.tile[1]),
                overlap: item.overlap
            )
            let expected = item.expected.map {
                Tile(top: $0.top, left: $0.left, height: $0.height, width: $0.width)
            }
            XCTAssertEqual(plan.tiles, expected)
        }
    }

    func testWeights() throws {
        for item in try ArithmeticCases.read().tileWeights {
            let (length, tile, overlap) = (item.length, item.tile, item.overlap)
            XCTAssertEqual(
                TilePlan.starts(length: length, tile: tile, overlap: overlap), item.starts
            )
            let actual = TilePlan.weights(length: length, tile: tile, overlap: overlap)
            XCTAssertEqual(actual.count, item.expected.count)
            for (weight, expected) in zip(actual.joined(), item.expected.joined()) {
                XCTAssertEqual(weight, expected, accuracy: 1e-6)
            }
        }
    }

    func testTilesOfAPictureAreThePicture() {
        for (height, width) in [(37, 50), (5, 40), (7, 6)] {
            let size = PictureSize(height: height, width: width)
            let bytes = (0..<3 * height * width).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let picture = RGBPicture(size: size, bytes: bytes)
            let plan = TilePlan(
                picture: size, tile: PictureSize(height: 16, width: 12), overlap: 5
            )
            var joiner = TileJoiner(plan: plan)
            plan.tiles.forEach { joiner.add(picture.tile($0)) }
            XCTAssertEqual(joiner.picture, picture)
        }
    }

    func testAFramedPictureComesOutAgain() {
        let picture = RGBPicture(
            size: PictureSize(height: 2, width: 3), bytes: Array(0..<18)
        )
        let plan = FramePlan(
            picture: picture.size, outer: PictureSize(height: 6, width: 3), maxSide: 9, minSide: 1
        )
        let framed = picture.framed(by: plan)
        XCTAssertEqual(framed.size, plan.outer)
        // Rows 1 0 | 0 1 | 1 0.
        XCTAssertEqual(Array(framed.bytes[0..<9]), Array(9..<18))
        XCTAssertEqual(framed.unframed(by: plan), picture)
        let larger = picture.enlarged(to: picture.size.times(3))
        XCTAssertEqual(larger.size, PictureSize(height: 6, width: 9))
        XCTAssertEqual(framed.enlarged(to: plan.outer.times(3)).unframed(by: plan), larger)
    }

    func testABlendGoesFromOnePictureToTheOther() {
        let size = PictureSize(height: 1, width: 1)
        let (one, other) = (
            RGBPicture(size: size, bytes: [0, 100, 255]),
            RGBPicture(size: size, bytes: [255, 50, 0])
        )
        XCTAssertEqual(one.blended(with: other, strength: 0), one)
        XCTAssertEqual(one.blended(with: other, strength: 1), other)
        XCTAssertEqual(one.blended(with: other, strength: 0.5).bytes, [128, 75, 128])
    }
}
