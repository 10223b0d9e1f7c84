/// Two files of one role, size and int8 precision, of two targets, on the probes.
///
/// Both are near the float network, each in its own way; this says how near they are to each other.
public struct AgreementFact: Hashable, Sendable {
    /// Below the artifact directory.
    public let a: String
    /// The same.
    public let b: String
    /// PSNR of B's output against A's on the worst probe.
    public let measuredDb: Double
}

extension AgreementFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case a
        case b
        case measuredDb = "measured_db"
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        a = try object.required(.a).text(matching: .relativePath)
        b = try object.required(.b).text(matching: .relativePath)
        measuredDb = try object.required(.measuredDb).number()
    }
}
