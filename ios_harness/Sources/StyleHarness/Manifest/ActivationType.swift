/// The type of activations between integer operations.
public enum ActivationType: String, Codable, CaseIterable, Hashable, Sendable {
    case int8
    case uint8
}
