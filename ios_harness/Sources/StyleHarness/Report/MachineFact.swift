/// What it was measured on; two reports are of one machine when `identity` is the same.
public struct MachineFact: Encodable, Hashable, Sendable {
    /// Model of the computer or phone, or what of it is known.
    public let device: String
    /// Name and version.
    public let os: String
    /// Model of the CPU or system on a chip.
    public let processor: String
    /// Logical processors that the harness may use.
    public let cores: Int
    /// Of the machine, or of the container it is confined to.
    public let memoryBytes: Int
    /// GPUs and neural engines that were found.
    public let accelerators: [String]
    /// Of the instruction set that runtimes choose kernels by, and of the browser.
    public let features: [String]
    /// Of the runtimes, the system and the driver.
    public let versions: [String: String]

    public init(
        device: String,
        os: String,
        processor: String,
        cores: Int,
        memoryBytes: Int,
        accelerators: [String] = [],
        features: [String] = [],
        versions: [String: String] = [:]
    ) {
        self.device = device
        self.os = os
        self.processor = processor
        self.cores = cores
        self.memoryBytes = memoryBytes
        self.accelerators = accelerators
        self.features = features
        self.versions = versions
    }
}

extension MachineFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case device
        case os
        case processor
        case cores
        case memoryBytes = "memory_bytes"
        case accelerators
        case features
        case versions
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        device = try object.required(.device).text(atMost: JSONLimits.text)
        os = try object.required(.os).text(atMost: JSONLimits.text)
        processor = try object.required(.processor).text(atMost: JSONLimits.text)
        cores = try object.required(.cores).integer(in: JSONLimits.count)
        memoryBytes = try object.required(.memoryBytes).integer(in: JSONLimits.count)
        accelerators =
            try object.optional(.accelerators)?.items()
            .map { try $0.text(atMost: JSONLimits.text) } ?? []
        features =
            try object.optional(.features)?.items()
            .map { try $0.text(atMost: JSONLimits.text) } ?? []
        versions = try object.optional(.versions)?.facts() ?? [:]
    }
}
