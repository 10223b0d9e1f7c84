/// Where activation ranges came from.
public struct CalibrationFact: Hashable, Sendable {
    /// How a range was taken from the activations seen.
    public let method: String
    /// How many content images were run.
    public let images: Int
    /// How many styles each was run with; 0 for a fixed-style network.
    public let styles: Int
    /// Over the pixels of the images, in order.
    public let sha256: String
}

extension CalibrationFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case method
        case images
        case styles
        case sha256
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        method = try object.required(.method).text()
        images = try object.required(.images).integer()
        styles = try object.required(.styles).integer()
        sha256 = try object.required(.sha256).text(matching: .sha256)
    }
}
