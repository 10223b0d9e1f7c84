import Foundation

/// Peak signal-to-noise ratio of an output against a reference.
public struct PeakSignalToNoise: Hashable, Sendable {
    /// Value for bitwise equal outputs, and the upper limit, in dB.
    public static let equalDb = 200.0

    /// 10·log10(peak² / mean squared error), in dB; 0 if the error is not finite.
    public let db: Double
    /// Largest absolute difference of one element.
    public let maxAbsError: Double

    /// Compare an output with a reference of the same length.
    ///
    /// - Parameter peak: largest possible value; nil is the largest absolute value of the reference.
    public init(output: [Float], reference: [Float], peak: Double?) {
        precondition(output.count == reference.count)
        var squares = 0.0
        var worst = 0.0
        var largest = 0.0
        for (value, expected) in zip(output, reference) {
            let error = abs(Double(value) - Double(expected))
            squares += error * error
            worst = max(worst, error.isFinite ? error : 0)
            largest = max(largest, abs(Double(expected)))
        }
        maxAbsError = worst
        guard squares.isFinite else {
            db = 0
            return
        }
        let top = max(peak ?? largest, 1e-12)
        let ratio =
            squares == 0
            ? Self.equalDb : 10 * log10(top * top * Double(output.count) / squares)
        db = min(Self.equalDb, ratio)
    }
}
