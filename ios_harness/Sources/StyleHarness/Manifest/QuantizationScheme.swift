/// How a file is quantized.
public enum QuantizationScheme: String, Codable, CaseIterable, Hashable, Sendable {
    case dynamicRange = "dynamic-range"
    case palette
    case qdqStatic = "qdq-static"
    case `static`
    case weightsOnly = "weights-only"
}
