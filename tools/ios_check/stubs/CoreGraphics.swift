// Signatures of Apple's CoreGraphics, as far as the harness uses them; written from its documentation.
@_exported import AppleFoundation
@_exported import CoreVideo
import Foundation

public final class CGImage {
    public init?(
        width: Int, height: Int, bitsPerComponent: Int, bitsPerPixel: Int, bytesPerRow: Int,
        space: CGColorSpace, bitmapInfo: CGBitmapInfo, provider: CGDataProvider,
        decode: UnsafePointer<CGFloat>?, shouldInterpolate: Bool, intent: CGColorRenderingIntent
    ) { nil }
    public var height: Int { 0 }
    public var width: Int { 0 }
    public func cropping(to rect: CGRect) -> CGImage? { nil }
}
public enum CGColorRenderingIntent: Int32 { case defaultIntent }
public enum CGInterpolationQuality: Int32 { case high }
public final class CGDataProvider {
    public init?(data: CFData) {}
}
public final class CGColorSpace {
    public static let sRGB: CFString = ""
    public init?(name: CFString) {}
    init() {}
}
public func CGColorSpaceCreateDeviceRGB() -> CGColorSpace { CGColorSpace() }
public struct CGBitmapInfo: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
}
public enum CGImageAlphaInfo: UInt32 { case noneSkipLast }
public final class CGContext {
    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int,
        bytesPerRow: Int, space: CGColorSpace, bitmapInfo: UInt32
    ) {}
    public var interpolationQuality: CGInterpolationQuality = .high
    public var data: UnsafeMutableRawPointer? { nil }
    public var bytesPerRow: Int { 0 }
    public func draw(_ image: CGImage, in rect: CGRect) {}
    public func makeImage() -> CGImage? { nil }
}
