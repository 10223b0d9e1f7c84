/// What may disturb a measurement, before or after it; nil is what the system does not tell.
public struct StateFact: Encodable, Hashable, Sendable {
    /// Of the last minute.
    public let loadAverage: Double?
    /// How hot.
    public let thermal: ThermalFact?
    /// By sensor.
    public let temperaturesCelsius: [String: Double]
    /// Of the CPU, now.
    public let frequencyMhz: Double?
    /// Of its frequency.
    public let governor: String?
    /// 0..100.
    public let batteryPercent: Double?
    /// Whether on mains.
    public let charging: Bool?
    /// Whether the system saves power.
    public let lowPower: Bool?
    /// That could be allocated.
    public let freeMemoryBytes: Int?

    public init(
        loadAverage: Double? = nil,
        thermal: ThermalFact? = nil,
        temperaturesCelsius: [String: Double] = [:],
        frequencyMhz: Double? = nil,
        governor: String? = nil,
        batteryPercent: Double? = nil,
        charging: Bool? = nil,
        lowPower: Bool? = nil,
        freeMemoryBytes: Int? = nil
    ) {
        self.loadAverage = loadAverage
        self.thermal = thermal
        self.temperaturesCelsius = temperaturesCelsius
        self.frequencyMhz = frequencyMhz
        self.governor = governor
        self.batteryPercent = batteryPercent
        self.charging = charging
        self.lowPower = lowPower
        self.freeMemoryBytes = freeMemoryBytes
    }
}

extension StateFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case loadAverage = "load_average"
        case thermal
        case temperaturesCelsius = "temperatures_celsius"
        case frequencyMhz = "frequency_mhz"
        case governor
        case batteryPercent = "battery_percent"
        case charging
        case lowPower = "low_power"
        case freeMemoryBytes = "free_memory_bytes"
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        loadAverage = try object.optional(.loadAverage)?.nullable?.number()
        thermal = try object.optional(.thermal)?.nullable.map(ThermalFact.init(reading:))
        temperaturesCelsius =
            try object.optional(.temperaturesCelsius)?
            .table(names: JSONLimits.text) { try $0.number() } ?? [:]
        frequencyMhz = try object.optional(.frequencyMhz)?.nullable?.number()
        governor = try object.optional(.governor)?.nullable?.text(atMost: JSONLimits.text)
        batteryPercent = try object.optional(.batteryPercent)?.nullable?.number()
        charging = try object.optional(.charging)?.nullable?.flag()
        lowPower = try object.optional(.lowPower)?.nullable?.flag()
        freeMemoryBytes = try object.optional(.freeMemoryBytes)?.nullable?
            .integer(in: JSONLimits.count)
    }
}
