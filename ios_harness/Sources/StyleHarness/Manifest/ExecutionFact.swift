/// What a runtime executes of a file, which is not always what the file asks for.
public struct ExecutionFact: Hashable, Sendable {
    /// Name and version.
    public let runtime: String
    /// Operation → count as executed, most frequent first.
    public let nodes: [String: Int]
    /// The share of the MACs that is computed in integers, 0..1.
    public let integerMacShare: Double
    /// In order.
    public let convolutions: [ConvolutionFact]
    /// How often values are dequantized, only moved, and quantized again.
    public let floatRoundTrips: Int
    /// How many maps are copied from one layout to another.
    public let transposes: Int
    /// How many float activations are quantized.
    public let quantizes: Int
    /// How many integer activations are dequantized.
    public let dequantizes: Int
    /// Constants of the file, by how they are stored.
    public let bytesByDtype: [String: Int]
}

extension ExecutionFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case runtime
        case nodes
        case integerMacShare = "integer_mac_share"
        case convolutions
        case floatRoundTrips = "float_round_trips"
        case transposes
        case quantizes
        case dequantizes
        case bytesByDtype = "bytes_by_dtype"
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        runtime = try object.required(.runtime).text()
        nodes = try object.required(.nodes).table { try $0.integer() }
        integerMacShare = try object.required(.integerMacShare).number()
        convolutions = try object.required(.convolutions).items()
            .map(ConvolutionFact.init(reading:))
        floatRoundTrips = try object.required(.floatRoundTrips).integer()
        transposes = try object.required(.transposes).integer()
        quantizes = try object.required(.quantizes).integer()
        dequantizes = try object.required(.dequantizes).integer()
        bytesByDtype = try object.required(.bytesByDtype).table { try $0.integer() }
    }
}
