/// One exported file.
public struct FileFact: Hashable, Sendable {
    /// Below the artifact directory.
    public let path: String
    /// What it computes.
    public let role: Role
    /// Its format.
    public let target: String
    /// How it stores and computes convolutions.
    public let precision: Precision
    /// Of what it computes in float.
    public let floatDtype: FloatType
    /// Of the format, and the least system that loads it.
    public let version: String
    /// Of the content (or style) image; nil when it takes several or any.
    public let size: SizeFact?
    /// The sizes it takes when they are several; none for one, or for any.
    public let sizes: [SizeFact]
    /// In order.
    public let inputs: [TensorFact]
    /// In order.
    public let outputs: [TensorFact]
    /// Weights and biases of the network.
    public let parameters: Int
    /// Multiply-accumulates of convolutions and matrix products at `size`; 0 when open.
    public let macs: Int
    /// Of those, the share that the runtime computes in integers, 0..1.
    public let int8MacShare: Double
    /// Nil for float files.
    public let quantization: QuantizationFact?
    /// Of `recipes`, that the file follows; nil for float files.
    public let recipe: String?
    /// Of files computed in int8; nil for others.
    public let quality: QualityFact?
    /// Of files computed in int8, where the runtime tells; nil for others.
    public let execution: ExecutionFact?
    /// Rewrites, in order.
    public let passes: [PassFact]
    /// Operation → count.
    public let ops: [String: Int]
    /// Layer of the captured network → the tensor of the file that holds its output, in the order
    /// of the network.
    public let layers: [String: String]
    /// Of `layers`, those whose channels the file holds multiplied by gains.
    public let scaledLayers: [String]
    /// The most that activations take at once when each is freed after its last reader, an
    /// estimate; nil when sizes are open.
    public let peakActivationBytes: Int?
    /// What is known to fail or to be slow on some devices.
    public let risks: [RiskFact]
    /// Against the float network, once a runner.
    public let parity: [ParityFact]
    /// Of the file, or of all files of a package.
    public let sizeBytes: Int
    /// Of the file; of a package, over the lines `sha256  path` of its files, sorted by path, each
    /// ending in a newline.
    public let sha256: String
}

extension FileFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case path
        case role
        case target
        case precision
        case floatDtype = "float_dtype"
        case version
        case size
        case sizes
        case inputs
        case outputs
        case parameters
        case macs
        case int8MacShare = "int8_mac_share"
        case quantization
        case recipe
        case quality
        case execution
        case passes
        case ops
        case layers
        case scaledLayers = "scaled_layers"
        case peakActivationBytes = "peak_activation_bytes"
        case risks
        case parity
        case sizeBytes = "size_bytes"
        case sha256
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        path = try object.required(.path).text(matching: .relativePath)
        role = try object.required(.role).choice()
        target = try object.required(.target).text()
        precision = try object.required(.precision).choice()
        floatDtype = try object.required(.floatDtype).choice()
        version = try object.required(.version).text()
        size = try object.required(.size).nullable.map(SizeFact.init(reading:))
        sizes = try object.required(.sizes).items().map(SizeFact.init(reading:))
        inputs = try object.required(.inputs).items(in: 1...).map(TensorFact.init(reading:))
        outputs = try object.required(.outputs).items(in: 1...).map(TensorFact.init(reading:))
        parameters = try object.required(.parameters).integer()
        macs = try object.required(.macs).integer()
        int8MacShare = try object.required(.int8MacShare).number()
        quantization = try object.required(.quantization).nullable
            .map(QuantizationFact.init(reading:))
        recipe = try object.optional(.recipe)?.nullable?.text(matching: .relativePath)
        quality = try object.optional(.quality)?.nullable.map(QualityFact.init(reading:))
        execution = try object.optional(.execution)?.nullable.map(ExecutionFact.init(reading:))
        passes = try object.required(.passes).items().map(PassFact.init(reading:))
        ops = try object.required(.ops).table { try $0.integer() }
        layers = try object.required(.layers).table { try $0.text() }
        scaledLayers = try object.optional(.scaledLayers)?.items().map { try $0.text() } ?? []
        peakActivationBytes = try object.required(.peakActivationBytes).nullable?.integer()
        risks = try object.required(.risks).items().map(RiskFact.init(reading:))
        parity = try object.required(.parity).items(in: 1...).map(ParityFact.init(reading:))
        sizeBytes = try object.required(.sizeBytes).integer()
        sha256 = try object.required(.sha256).text(matching: .sha256)
    }
}
