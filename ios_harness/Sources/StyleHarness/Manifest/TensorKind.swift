/// What a tensor holds: an image, a style code, or the strength of the style.
public enum TensorKind: String, Codable, CaseIterable, Hashable, Sendable {
    case image
    case strength
    case styleCode = "style_code"
}
