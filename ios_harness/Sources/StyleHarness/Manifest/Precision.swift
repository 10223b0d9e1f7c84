/// How a file stores and computes its convolutions.
public enum Precision: String, Codable, CaseIterable, Hashable, Sendable {
    case auto
    case fp16
    case fp32
    case int8
    case int8Weights = "int8-weights"
    case palette4
    case palette6
    case palette8
}
