// Signatures of Apple's VideoToolbox, as far as the harness uses them.
import CoreGraphics

@discardableResult
public func VTCreateCGImageFromCVPixelBuffer(
    _: CVPixelBuffer, options: CFDictionary?, imageOut: UnsafeMutablePointer<CGImage?>
) -> Int32 { 0 }
