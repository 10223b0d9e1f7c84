/// The type of stored weights; of a palette, the index.
public enum WeightType: String, Codable, CaseIterable, Hashable, Sendable {
    case int8
    case uint4
    case uint6
    case uint8
}
