/// What one exported file computes.
public enum Role: String, Codable, CaseIterable, Hashable, Sendable {
    case encode
    case stylize
    case transform
}
