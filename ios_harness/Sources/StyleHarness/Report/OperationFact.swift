/// One operation of a profiled run.
public struct OperationFact: Encodable, Hashable, Sendable {
    /// Of the captured network that it computes; the runtime's own name where none is known.
    public let layer: String
    /// As the runtime names the kernel.
    public let op: String
    /// Median over the profiled runs.
    public let timeNs: Int
    /// Multiply-accumulates; 0 where it has none.
    public let macs: Int
    /// Which part of the runtime ran it.
    public let delegate: String
}

extension OperationFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case layer
        case op
        case timeNs = "time_ns"
        case macs
        case delegate
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        layer = try object.required(.layer).text(atMost: JSONLimits.text)
        op = try object.required(.op).text(atMost: JSONLimits.text)
        timeNs = try object.required(.timeNs).integer(in: JSONLimits.nanoseconds)
        macs = try object.optional(.macs)?.integer(in: JSONLimits.count) ?? 0
        delegate = try object.optional(.delegate)?.text(atMost: JSONLimits.text) ?? ""
    }
}
