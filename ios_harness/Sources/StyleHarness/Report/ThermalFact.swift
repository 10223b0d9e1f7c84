/// How hot the device says it is, on a scale of its own.
public struct ThermalFact: Encodable, Hashable, Sendable {
    /// `android` is 0 (none) to 6 (shutdown), `apple` 0 (nominal) to 3 (critical), `celsius` the
    /// hottest sensor.
    public let scale: ThermalScale
    /// On that scale.
    public let value: Double

    public init(scale: ThermalScale, value: Double) {
        self.scale = scale
        self.value = value
    }
}

extension ThermalFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case scale
        case value
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        scale = try object.required(.scale).choice()
        value = try object.required(.value).number()
    }
}
