/// How 8-bit RGB pixels become the numbers that a file takes, and back.
public struct PixelFormat: Hashable, Sendable {
    public let layout: TensorLayout
    public let range: PixelRange

    /// Images of the harness: [1, 3, H, W] in 0..1.
    public static let harness = PixelFormat(
        layout: .nchw, range: PixelRange(lowest: 0, highest: 1)
    )

    public init(layout: TensorLayout, range: PixelRange) {
        self.layout = layout
        self.range = range
    }

    /// Return the numbers of some pixels, three bytes each, row by row.
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

    /// Return the pixels of some numbers: clipped to the range, rounded, half to even.
    public func rgb(ofFloats values: [Float], height: Int, width: Int) -> [UInt8] {
        let plane = height * width
        precondition(values.count == 3 * plane)
        let lowest = Float(range.lowest)
        // One factor: in 0..255 it is 1, so that halves stay halves.
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

    /// Return the byte of a value in 0..255; what is no number is black.
    private static func byte(of value: Float) -> UInt8 {
        guard !value.isNaN else { return 0 }
        return UInt8(min(max(value, 0), 255).rounded(.toNearestOrEven))
    }

    private func index(_ pixel: Int, _ channel: Int, _ plane: Int) -> Int {
        layout == .nhwc ? 3 * pixel + channel : channel * plane + pixel
    }
}
