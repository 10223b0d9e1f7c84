/// Lowest and highest pixel value.
public struct PixelRange: Encodable, Hashable, Sendable {
    public let lowest: Double
    public let highest: Double

    public init(lowest: Double, highest: Double) {
        self.lowest = lowest
        self.highest = highest
    }

    init(reading node: JSONNode) throws {
        let bounds = try node.items(in: 2...2).map { try $0.number() }
        self.init(lowest: bounds[0], highest: bounds[1])
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        try container.encode(lowest)
        try container.encode(highest)
    }
}
