/// What a file loses against the float network over the fixed quality probes.
public struct QualityFact: Hashable, Sendable {
    /// What ran the file.
    public let runner: String
    /// In whose features style is measured.
    public let lossNetwork: String
    /// How many.
    public let pictures: Int
    /// Of the squared error pooled over the stable pictures: those on which the float network
    /// itself does not tell an invisible change of its input (half a step of 8 bits) by more than
    /// 45 dB. The budget's `psnr`.
    public let psnrDb: Double
    /// Pooled over all pictures.
    public let allPsnrDb: Double
    /// Of the picture, of all, that loses most.
    public let worstPsnrDb: Double
    /// Mean over the pictures; nil for style codes, as all that follow.
    public let ssim: Double?
    /// Relative change of the distance to the style, 0.05 is 5 % more.
    public let styleChange: Double?
    /// The same in Gram matrices.
    public let gramChange: Double?
    /// Relative change of what flickers in a slow pan.
    public let flickerChange: Double?
    /// What the file may lose.
    public let budget: String
    /// Limits of the budget that do not hold: the file is degraded.
    public let failures: [String]
}

extension QualityFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case runner
        case lossNetwork = "loss_network"
        case pictures
        case psnrDb = "psnr_db"
        case allPsnrDb = "all_psnr_db"
        case worstPsnrDb = "worst_psnr_db"
        case ssim
        case styleChange = "style_change"
        case gramChange = "gram_change"
        case flickerChange = "flicker_change"
        case budget
        case failures
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        runner = try object.required(.runner).text()
        lossNetwork = try object.required(.lossNetwork).text()
        pictures = try object.required(.pictures).integer()
        psnrDb = try object.required(.psnrDb).number()
        allPsnrDb = try object.required(.allPsnrDb).number()
        worstPsnrDb = try object.required(.worstPsnrDb).number()
        ssim = try object.required(.ssim).nullable?.number()
        styleChange = try object.required(.styleChange).nullable?.number()
        gramChange = try object.required(.gramChange).nullable?.number()
        flickerChange = try object.required(.flickerChange).nullable?.number()
        budget = try object.required(.budget).text()
        failures = try object.required(.failures).items().map { try $0.text() }
    }
}
