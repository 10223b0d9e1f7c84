#if canImport(CoreGraphics) && canImport(ImageIO)
@preconcurrency import CoreGraphics
import Foundation
import ImageIO
import StyleHarness
import UniformTypeIdentifiers

/// A photo decoded by the system, upright.
public struct ImagePhoto: Photo {
    private static let longestSide = 16_384

    /// The decoded picture.
    public let image: CGImage

    public init(image: CGImage) {
        self.image = image
    }

    /// Decode a picture file, rotated by its EXIF orientation, at most 16384 pixels long.
    ///
    /// - Throws: `ArtifactError` if the system cannot decode it.
    public init(data: Data) throws {
        let options: [CFString: Any] = [
            kCGImageSourceCreateThumbnailFromImageAlways: true,
            kCGImageSourceCreateThumbnailWithTransform: true,
            kCGImageSourceThumbnailMaxPixelSize: Self.longestSide,
        ]
        guard let source = CGImageSourceCreateWithData(data as CFData, nil),
            let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
        else { throw ArtifactError("this is not a picture in a format that the system supports") }
        self.image = image
    }

    public var size: PictureSize { PictureSize(height: image.height, width: image.width) }

    public var identity: AnyHashable { ObjectIdentifier(image) }

    public func part(top: Int, left: Int, size: PictureSize) throws -> RGBPicture {
        let place = CGRect(x: left, y: top, width: size.width, height: size.height)
        guard let part = image.cropping(to: place) else {
            throw EngineError.failed("the photo has no part at \(left), \(top)")
        }
        return try ImagePhoto(image: part).scaled(to: size)
    }

    public func scaled(to size: PictureSize) throws -> RGBPicture {
        try drawn(at: size, in: CGRect(x: 0, y: 0, width: size.width, height: size.height))
    }

    public func centreCrop(to size: PictureSize) throws -> RGBPicture {
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
            throw EngineError.outOfMemory(
                "a picture of \(size.width)x\(size.height) does not fit into memory"
            )
        }
        context.interpolationQuality = .high
        context.draw(image, in: place)
        guard let data = context.data else {
            throw EngineError.outOfMemory("a bitmap has no memory")
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

/// Conversion of pictures to images and JPEG files of the system.
public enum PictureCoder {
    private static let thumbnailWidth = 256
    private static let quality = 0.9

    /// Return a picture as an image of the system.
    public static func image(of picture: RGBPicture) -> CGImage? {
        var bytes = [UInt8](repeating: 255, count: 4 * picture.size.height * picture.size.width)
        for pixel in 0..<picture.size.height * picture.size.width {
            for channel in 0..<3 {
                bytes[4 * pixel + channel] = picture.bytes[3 * pixel + channel]
            }
        }
        return image(of: Data(bytes), size: picture.size)
    }

    /// Return a picture in a file as an image, which reads the file when it is drawn.
    public static func image(of file: PictureFile) throws -> CGImage? {
        image(of: try file.mapped(), size: file.size)
    }

    private static func image(of pixels: Data, size: PictureSize) -> CGImage? {
        guard let provider = CGDataProvider(data: pixels as CFData) else { return nil }
        return CGImage(
            width: size.width, height: size.height, bitsPerComponent: 8, bitsPerPixel: 32,
            bytesPerRow: 4 * size.width, space: colours, bitmapInfo: layout, provider: provider,
            decode: nil, shouldInterpolate: true, intent: .defaultIntent
        )
    }

    /// Return an image as a JPEG file.
    public static func jpeg(of image: CGImage) -> Data? {
        let data = NSMutableData()
        let type = UTType.jpeg.identifier as CFString
        guard let writer = CGImageDestinationCreateWithData(data, type, 1, nil) else { return nil }
        let options = [kCGImageDestinationLossyCompressionQuality: quality] as CFDictionary
        CGImageDestinationAddImage(writer, image, options)
        return CGImageDestinationFinalize(writer) ? Data(referencing: data) : nil
    }

    /// Return a picture as a JPEG file at most 256 pixels wide.
    public static func thumbnail(of picture: RGBPicture) -> Data? {
        guard let image = image(of: picture) else { return nil }
        let width = min(thumbnailWidth, picture.size.width)
        let height = max(1, picture.size.height * width / picture.size.width)
        let place = CGRect(x: 0, y: 0, width: width, height: height)
        guard let context = context(height: height, width: width) else { return nil }
        context.interpolationQuality = .high
        context.draw(image, in: place)
        return context.makeImage().flatMap(jpeg)
    }

    static var colours: CGColorSpace {
        CGColorSpace(name: CGColorSpace.sRGB) ?? CGColorSpaceCreateDeviceRGB()
    }

    static var layout: CGBitmapInfo {
        CGBitmapInfo(rawValue: CGImageAlphaInfo.noneSkipLast.rawValue)
    }

    /// Return a bitmap context with RGBX pixels of 8 bits per channel.
    static func context(height: Int, width: Int) -> CGContext? {
        CGContext(
            data: nil, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width,
            space: colours, bitmapInfo: layout.rawValue
        )
    }
}
#endif
