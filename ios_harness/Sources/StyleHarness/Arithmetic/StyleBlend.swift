/// Interpolation of style codes; AdaIN is linear in the code, so blending codes is exact.
public enum StyleBlend {
    /// Return the weighted mean of codes; nil if no weight is positive or one is negative.
    public static func blended(_ codes: [[Float]], weights: [Double]) -> [Float]? {
        let total = weights.reduce(0, +)
        guard codes.count == weights.count, let length = codes.first?.count, total > 0,
            total.isFinite, weights.allSatisfy({ $0 >= 0 }),
            codes.allSatisfy({ $0.count == length })
        else { return nil }
        var mean = [Float](repeating: 0, count: length)
        for (code, weight) in zip(codes, weights) {
            let share = Float(weight / total)
            for index in 0..<length {
                mean[index] += code[index] * share
            }
        }
        return mean
    }
}
