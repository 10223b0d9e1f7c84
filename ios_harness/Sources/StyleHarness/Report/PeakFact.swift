/// What the machine could do at best, measured in the same run, in GMAC/s.
public struct PeakFact: Encodable, Hashable, Sendable {
    /// That were used.
    public let threads: Int
    /// Of a large float product or convolution; nil where it was not measured.
    public let fp32Gmacs: Double?
    /// Of the same in int8.
    public let int8Gmacs: Double?
    /// How it was measured.
    public let method: String
}

extension PeakFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case threads
        case fp32Gmacs = "fp32_gmacs"
        case int8Gmacs = "int8_gmacs"
        case method
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        threads = try object.required(.threads).integer(in: 1...)
        fp32Gmacs = try object.required(.fp32Gmacs).nullable?.number()
        int8Gmacs = try object.required(.int8Gmacs).nullable?.number()
        method = try object.required(.method).text(atMost: JSONLimits.text)
    }
}
