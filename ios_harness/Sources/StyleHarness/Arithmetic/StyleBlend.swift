/// Blends of style codes, where the network's codes can be blended.
public enum StyleBlend {
    /// Return the weighted mean of codes; nil if no weight is positive or one is negative.
    ///
    /// - Parameter network: network of the codes; that of an older artifact refuses no blend.
    /// - Throws: `EngineError` if codes of the network cannot be blended.
    public static func blended(
        _ codes: [[Float]], weights: [Double], network: NetworkFact
    ) throws -> [Float]? {
        let total = weights.reduce(0, +)
        guard codes.count == weights.count, let length = codes.first?.count, total > 0,
            total.isFinite, weights.allSatisfy({ $0 >= 0 }),
            codes.allSatisfy({ $0.count == length })
        else { return nil }
        if let layout = network.codeLayout, layout.blending == Blending.none,
            weights.filter({ $0 > 0 }).count > 1
        {
            throw EngineError.failed(
                "style codes of \(network.name) cannot be blended: \(layout.reason); use one style"
            )
        }
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

extension CodeLayoutFact {
    /// Whether codes blend, and the reason, in words; nil where they blend exactly.
    public var blendingNote: String? {
        switch blending {
        case .exact: nil
        case .approximate: "Codes blend approximately: \(reason)"
        case Blending.none: "Codes cannot be blended: \(reason)"
        }
    }
}
