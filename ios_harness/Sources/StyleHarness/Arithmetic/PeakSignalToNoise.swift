import Foundation

/// How near an output comes to what was expected of it.
public struct PeakSignalToNoise: Hashable, Sendable {
    /// What is said of outputs that agree to the last bit.
    public static let equalDb = 200.0

    /// 10·log10(peak² / mean squared error), in dB; 0 where anything is no finite number.
    public let db: Double
    /// The largest difference of one element.
    public let maxAbsError: Double

    /// Compare an output with a reference of the same length.
    ///
    /// - Parameter peak: the largest possible value; nil takes the reference's largest.
    public init(output: [Float], reference: [Float], peak: Double?) {
        precondition(output.count == reference.count)
        var squares = 0.0
        var worst = 0.0
        var largest = 0.0
        for (value, wanted) in zip(output, reference) {
            let error = abs(Double(value) - Double(wanted))
            squares += error * error
            worst = max(worst, error.isFinite ? error : 0)
            largest = max(largest, abs(Double(wanted)))
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
