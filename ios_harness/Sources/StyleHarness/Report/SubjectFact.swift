/// The file that was measured, as the manifest of its artifact describes it.
public struct SubjectFact: Encodable, Hashable, Sendable {
    /// Name.
    public let network: String
    /// Of the weights.
    public let sourceSha256: String
    /// Below the artifact directory.
    public let path: String
    /// Of the file.
    public let sha256: String
    /// Its format.
    public let target: String
    /// How it computes convolutions.
    public let precision: Precision
    /// What it computes.
    public let role: Role
    /// Of the file.
    public let sizeBytes: Int
    /// Weights and biases.
    public let parameters: Int
    /// Of one picture at the cell's size; 0 where it is not known.
    public let macs: Int
    /// Of those, in integers, 0..1.
    public let int8MacShare: Double
    /// PSNR to the float network over the quality probes; nil where it was not judged.
    public let qualityDb: Double?
    /// Relative change of the distance to the style, from the same judgement.
    public let styleChange: Double?

    public init(
        network: String,
        sourceSha256: String,
        path: String,
        sha256: String,
        target: String,
        precision: Precision,
        role: Role,
        sizeBytes: Int,
        parameters: Int,
        macs: Int,
        int8MacShare: Double,
        qualityDb: Double? = nil,
        styleChange: Double? = nil
    ) {
        self.network = network
        self.sourceSha256 = sourceSha256
        self.path = path
        self.sha256 = sha256
        self.target = target
        self.precision = precision
        self.role = role
        self.sizeBytes = sizeBytes
        self.parameters = parameters
        self.macs = macs
        self.int8MacShare = int8MacShare
        self.qualityDb = qualityDb
        self.styleChange = styleChange
    }
}

extension SubjectFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case network
        case sourceSha256 = "source_sha256"
        case path
        case sha256
        case target
        case precision
        case role
        case sizeBytes = "size_bytes"
        case parameters
        case macs
        case int8MacShare = "int8_mac_share"
        case qualityDb = "quality_db"
        case styleChange = "style_change"
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        network = try object.required(.network).text(atMost: JSONLimits.text)
        sourceSha256 = try object.required(.sourceSha256).text(matching: .sha256)
        path = try object.required(.path).text(atMost: JSONLimits.text)
        sha256 = try object.required(.sha256).text(matching: .sha256)
        target = try object.required(.target).text(atMost: JSONLimits.text)
        precision = try object.required(.precision).choice()
        role = try object.required(.role).choice()
        sizeBytes = try object.required(.sizeBytes).integer(in: JSONLimits.count)
        parameters = try object.required(.parameters).integer(in: JSONLimits.count)
        macs = try object.required(.macs).integer(in: JSONLimits.count)
        int8MacShare = try object.required(.int8MacShare).number()
        qualityDb = try object.optional(.qualityDb)?.nullable?.number()
        styleChange = try object.optional(.styleChange)?.nullable?.number()
    }
}
