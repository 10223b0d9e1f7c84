// Signatures of Apple's ImageIO, as far as the harness uses them; written from its documentation.
import CoreGraphics
import Foundation

public final class CGImageSource {}
public final class CGImageDestination {}
public let kCGImageDestinationLossyCompressionQuality: CFString = ""
public let kCGImageSourceCreateThumbnailFromImageAlways: CFString = ""
public let kCGImageSourceCreateThumbnailWithTransform: CFString = ""
public let kCGImageSourceThumbnailMaxPixelSize: CFString = ""
public func CGImageSourceCreateWithData(_: CFData, _: CFDictionary?) -> CGImageSource? { nil }
public func CGImageSourceCreateThumbnailAtIndex(
    _: CGImageSource, _: Int, _: CFDictionary?
) -> CGImage? { nil }
public func CGImageDestinationCreateWithData(
    _: CFMutableData, _: CFString, _: Int, _: CFDictionary?
) -> CGImageDestination? { nil }
public func CGImageDestinationAddImage(_: CGImageDestination, _: CGImage, _: CFDictionary?) {}
public func CGImageDestinationFinalize(_: CGImageDestination) -> Bool { true }
