/// The type of what a file computes in float.
public enum FloatType: String, Codable, CaseIterable, Hashable, Sendable {
    case float16
    case float32
}
