/// How a file is quantized.
public struct QuantizationFact: Hashable, Sendable {
    /// `qdq-static` (ONNX) and `static` (TFLite) compute in integers, with ranges fixed beforehand;
    /// `dynamic-range` takes the ranges at run time; `weights-only` and `palette` store integers
    /// and compute in float.
    public let scheme: QuantizationScheme
    /// Of the stored weights; of a palette, the index.
    public let weightDtype: WeightType
    /// Of the activations between integer operations; nil for weights-only.
    public let activationDtype: ActivationType?
    /// Whether each output channel has its own weight scale.
    public let perChannel: Bool
    /// Nil for weights-only.
    public let calibration: CalibrationFact?
    /// What stays in float.
    public let floatIslands: [FloatIslandFact]
}

extension QuantizationFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case scheme
        case weightDtype = "weight_dtype"
        case activationDtype = "activation_dtype"
        case perChannel = "per_channel"
        case calibration
        case floatIslands = "float_islands"
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        scheme = try object.required(.scheme).choice()
        weightDtype = try object.required(.weightDtype).choice()
        activationDtype = try object.required(.activationDtype).nullable?.choice()
        perChannel = try object.required(.perChannel).flag()
        calibration = try object.required(.calibration).nullable.map(CalibrationFact.init(reading:))
        floatIslands = try object.required(.floatIslands).items()
            .map(FloatIslandFact.init(reading:))
    }
}
