/// One convolution, or matrix product, as the runtime computes it.
public struct ConvolutionFact: Hashable, Sendable {
    /// As the file names it.
    public let layer: String
    /// Whether activations and weights are multiplied as integers.
    public let integer: Bool
    /// Multiply-accumulates; 0 where sizes are open.
    public let macs: Int
}

extension ConvolutionFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case layer
        case integer
        case macs
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        layer = try object.required(.layer).text()
        integer = try object.required(.integer).flag()
        macs = try object.required(.macs).integer()
    }
}
