/// The type of a tensor's elements; `uint8` images are pixel buffers of the platform.
public enum ElementType: String, Codable, CaseIterable, Hashable, Sendable {
    case float16
    case float32
    case uint8
}
