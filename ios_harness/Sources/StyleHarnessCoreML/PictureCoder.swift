#if canImport(CoreGraphics) && canImport(ImageIO)
import CoreGraphics
import Foundation
import ImageIO
import StyleHarness
import UniformTypeIdentifiers

/// Pictures in and out of what the system draws and stores.
public enum PictureCoder {
    private static let widest = 256
    private static let quality = 0.9

    /// Return the image of a picture.
    public static func image(of picture: RGBPicture) -> CGImage? {
        var bytes = [UInt8](repeating: 255, count: 4 * picture.size.height * picture.size.width)
        for pixel in 0..<picture.size.height * picture.size.width {
            for channel in 0..<3 {
                bytes[4 * pixel + channel] = picture.bytes[3 * pixel + channel]
            }
        }
        guard let provider = CGDataProvider(data: Data(bytes) as CFData) else { return nil }
        return CGImage(
            width: picture.size.width, height: picture.size.height, bitsPerComponent: 8,
            bitsPerPixel: 32, bytesPerRow: 4 * picture.size.width, space: colours,
            bitmapInfo: layout, provider: provider, decode: nil, shouldInterpolate: true,
            intent: .defaultIntent
        )
    }

    /// Return a picture as JPEG.
    public static func jpeg(of image: CGImage) -> Data? {
        let data = NSMutableData()
        let type = UTType.jpeg.identifier as CFString
        guard let writer = CGImageDestinationCreateWithData(data, type, 1, nil) else { return nil }
        let options = [kCGImageDestinationLossyCompressionQuality: quality] as CFDictionary
        CGImageDestinationAddImage(writer, image, options)
        return CGImageDestinationFinalize(writer) ? Data(referencing: data) : nil
    }

    /// Return a picture as a JPEG at most 256 pixels wide.
    public static func thumbnail(of picture: RGBPicture) -> Data? {
        guard let image = image(of: picture) else { return nil }
        let width = min(widest, picture.size.width)
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

    /// Return what draws into RGBX pixels of 8 bits.
    static func context(height: Int, width: Int) -> CGContext? {
        CGContext(
            data: nil, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width,
            space: colours, bitmapInfo: layout.rawValue
        )
    }
}
#endif
