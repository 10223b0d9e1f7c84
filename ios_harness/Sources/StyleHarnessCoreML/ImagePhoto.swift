#if canImport(CoreGraphics) && canImport(ImageIO)
@preconcurrency import CoreGraphics
import Foundation
import ImageIO
import StyleHarness

/// A photo that the system has decoded, upright.
public struct ImagePhoto: Photo {
    private static let longest = 4096

    /// The decoded picture.
    public let image: CGImage

    public init(image: CGImage) {
        self.image = image
    }

    /// Decode a picture file, turned upright by its EXIF orientation, at most 4096 pixels long.
    ///
    /// - Throws: `ArtifactError` where the system cannot decode it.
    public init(data: Data) throws {
        let options: [CFString: Any] = [
            kCGImageSourceCreateThumbnailFromImageAlways: true,
            kCGImageSourceCreateThumbnailWithTransform: true,
            kCGImageSourceThumbnailMaxPixelSize: Self.longest,
        ]
        guard let source = CGImageSourceCreateWithData(data as CFData, nil),
            let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
        else { throw ArtifactError("this is not a picture that the system can read") }
        self.image = image
    }

    public var size: PictureSize { PictureSize(height: image.height, width: image.width) }

    public func scaled(to size: PictureSize) throws -> RGBPicture {
        try drawn(at: size, in: CGRect(x: 0, y: 0, width: size.width, height: size.height))
    }

    public func middle(at size: PictureSize) throws -> RGBPicture {
        let scale = max(
            Double(size.height) / Double(image.height), Double(size.width) / Double(image.width)
        )
        let (height, width) = (Double(image.height) * scale, Double(image.width) * scale)
        let place = CGRect(
            x: (Double(size.width) - width) / 2, y: (Double(size.height) - height) / 2,
            width: width, height: height
        )
        return try drawn(at: size, in: place)
    }

    private func drawn(at size: PictureSize, in place: CGRect) throws -> RGBPicture {
        guard let context = PictureCoder.context(height: size.height, width: size.width) else {
            throw EngineError.outOfMemory("no picture of \(size.width)x\(size.height) can be drawn")
        }
        context.interpolationQuality = .high
        context.draw(image, in: place)
        guard let data = context.data else {
            throw EngineError.outOfMemory("a picture has no memory")
        }
        let stride = context.bytesPerRow
        var bytes: [UInt8] = []
        bytes.reserveCapacity(3 * size.height * size.width)
        for row in 0..<size.height {
            let line = data.advanced(by: row * stride).assumingMemoryBound(to: UInt8.self)
            for column in 0..<size.width {
                bytes.append(contentsOf: UnsafeBufferPointer(start: line + 4 * column, count: 3))
            }
        }
        return RGBPicture(size: size, bytes: bytes)
    }
}
#endif
