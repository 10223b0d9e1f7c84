#if canImport(CoreVideo)
import CoreVideo
import Foundation
import StyleHarness

/// Conversion between pictures and pixel buffers, which Core ML uses without a further copy.
enum PixelBuffer {
    private static let bytesPerPixel = 4

    /// Return a picture as a BGRA buffer of 8 bits per channel.
    static func buffer(of picture: RGBPicture) throws -> CVPixelBuffer {
        var created: CVPixelBuffer?
        let attributes = [kCVPixelBufferIOSurfacePropertiesKey as String: [String: String]()]
        let result = CVPixelBufferCreate(
            nil, picture.size.width, picture.size.height, kCVPixelFormatType_32BGRA,
            attributes as CFDictionary, &created
        )
        guard result == kCVReturnSuccess, let buffer = created else {
            throw EngineError.outOfMemory("no pixel buffer of \(picture.size) can be created")
        }
        CVPixelBufferLockBaseAddress(buffer, [])
        defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
        let stride = CVPixelBufferGetBytesPerRow(buffer)
        guard let base = CVPixelBufferGetBaseAddress(buffer) else {
            throw EngineError.failed("a pixel buffer has no memory")
        }
        for row in 0..<picture.size.height {
            let line = base.advanced(by: row * stride).assumingMemoryBound(to: UInt8.self)
            for column in 0..<picture.size.width {
                let source = 3 * (row * picture.size.width + column)
                let target = line + bytesPerPixel * column
                target[0] = picture.bytes[source + 2]
                target[1] = picture.bytes[source + 1]
                target[2] = picture.bytes[source]
                target[3] = 255
            }
        }
        return buffer
    }

    /// Return a buffer (BGRA of 8 bits or RGBA of half floats) as a tensor [1, 3, H, W] in 0..1.
    static func tensor(of buffer: CVPixelBuffer) throws -> Tensor {
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
        let (height, width) = (CVPixelBufferGetHeight(buffer), CVPixelBufferGetWidth(buffer))
        guard let base = CVPixelBufferGetBaseAddress(buffer) else {
            throw EngineError.failed("a pixel buffer has no memory")
        }
        let read = try reader(of: CVPixelBufferGetPixelFormatType(buffer))
        let stride = CVPixelBufferGetBytesPerRow(buffer)
        var values = [Float](repeating: 0, count: 3 * height * width)
        for row in 0..<height {
            let line = UnsafeRawPointer(base.advanced(by: row * stride))
            for column in 0..<width {
                for channel in 0..<3 {
                    let index = (channel * height + row) * width + column
                    values[index] = read(line, column, channel)
                }
            }
        }
        return Tensor(shape: [1, 3, height, width], values: values)
    }

    /// Return a function that reads channel 0 (red), 1 or 2 of one pixel of a row.
    private static func reader(
        of format: OSType
    ) throws -> (_ row: UnsafeRawPointer, _ column: Int, _ channel: Int) -> Float {
        switch format {
        case kCVPixelFormatType_32BGRA:
            return { Float($0.load(fromByteOffset: 4 * $1 + 2 - $2, as: UInt8.self)) / 255 }
        case kCVPixelFormatType_64RGBAHalf:
            return {
                HalfFloat.float(
                    ofBits: $0.load(fromByteOffset: 8 * $1 + 2 * $2, as: UInt16.self)
                )
            }
        default:
            throw EngineError.failed("the pixel format \(format) is not supported")
        }
    }
}
#endif
