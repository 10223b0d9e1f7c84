/// What measured.
public enum HarnessName: String, Codable, CaseIterable, Hashable, Sendable {
    case android
    case browser
    case desktop
    case ios
}
