@testable import StyleHarness

/// A photo of one colour.
struct FakePhoto: Photo {
    let size: PictureSize
    let colour: UInt8

    func scaled(to size: PictureSize) -> RGBPicture {
        RGBPicture(
            size: size, bytes: [UInt8](repeating: colour, count: 3 * size.height * size.width)
        )
    }

    func middle(at size: PictureSize) -> RGBPicture {
        scaled(to: size)
    }
}
