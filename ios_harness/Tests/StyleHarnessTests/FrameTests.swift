import XCTest

@testable import StyleHarness

final class FrameTests: XCTestCase {
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
