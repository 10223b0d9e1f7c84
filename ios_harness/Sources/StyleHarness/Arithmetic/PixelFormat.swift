/// Conversion between 8-bit RGB pixels and the float elements of an image tensor.
public struct PixelFormat: Hashable, Sendable {
    public let layout: TensorLayout
    public let range: PixelRange

    /// Image tensors of the harness: [1, 3, H, W] in 0..1.
    public static let harness = PixelFormat(
        layout: .nchw, range: PixelRange(lowest: 0, highest: 1)
    )

    public init(layout: TensorLayout, range: PixelRange) {
        self.layout = layout
        self.range = range
    }

    /// Return the elements for pixels of three bytes each, row by row.
    public func floats(ofRGB bytes: [UInt8], height: Int, width: Int) -> [Float] {
        let plane = height * width
        precondition(bytes.count == 3 * plane)
        let lowest = Float(range.lowest)
        let scale = Float(range.highest - range.lowest)
        var values = [Float](repeating: 0, count: 3 * plane)
        for pixel in 0..<plane {
            for channel in 0..<3 {
                let share = Float(bytes[3 * pixel + channel]) / 255
                values[index(pixel, channel, plane)] = share * scale + lowest
            }
        }
        return values
    }

    /// Return the pixels for elements: clipped to the range, rounded half to even.
    public func rgb(ofFloats values: [Float], height: Int, width: Int) -> [UInt8] {
        let plane = height * width
        precondition(values.count == 3 * plane)
        let lowest = Float(range.lowest)
        // One factor: for the range 0..255 it is exactly 1, so that halves stay halves.
        let scale = Float(255 / (range.highest - range.lowest))
        var bytes = [UInt8](repeating: 0, count: 3 * plane)
        for pixel in 0..<plane {
            for channel in 0..<3 {
                let share = (values[index(pixel, channel, plane)] - lowest) * scale
                bytes[3 * pixel + channel] = Self.byte(of: share)
            }
        }
        return bytes
    }

    /// Return the byte of a value in 0..255; NaN is black.
    private static func byte(of value: Float) -> UInt8 {
        guard !value.isNaN else { return 0 }
        return UInt8(min(max(value, 0), 255).rounded(.toNearestOrEven))
    }

    private func index(_ pixel: Int, _ channel: Int, _ plane: Int) -> Int {
        layout == .nhwc ? 3 * pixel + channel : channel * plane + pixel
    }
}

/// Half-precision floats (IEEE 754 binary16); Swift's Float16 does not exist on Intel Macs.
public enum HalfFloat {
    /// Return the value of a bit pattern.
    public static func float(ofBits bits: UInt16) -> Float {
        let sign: Float = bits & 0x8000 == 0 ? 1 : -1
        let exponent = Int(bits >> 10 & 0x1F)
        let fraction = Float(bits & 0x3FF)
        switch exponent {
        case 0: return sign * fraction * 0x1p-24
        case 0x1F: return fraction == 0 ? sign * .infinity : .nan
        default:
            let power = Float(sign: .plus, exponent: exponent - 15, significand: 1)
            return sign * (1 + fraction / 1024) * power
        }
    }
}
