/// The scale of a thermal state.
public enum ThermalScale: String, Codable, CaseIterable, Hashable, Sendable {
    case android
    case apple
    case celsius
}
