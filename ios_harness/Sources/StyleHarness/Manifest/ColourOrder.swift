/// The order of an image's channels.
public enum ColourOrder: String, Codable, CaseIterable, Hashable, Sendable {
    case rgb = "RGB"
}
