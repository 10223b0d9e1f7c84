/// One input or output of a file.
public struct TensorFact: Encodable, Hashable, Sendable {
    /// As the file names it.
    public let name: String
    /// An image, a style code, or the strength (0 keeps the content, 1 is the full style).
    public let kind: TensorKind
    /// Axis lengths; a string names an axis of any length.
    public let shape: [Axis]
    /// Of the elements; `uint8` images are pixel buffers of the platform.
    public let dtype: ElementType
    /// The order of the axes; `pixels` is that of a pixel buffer of the platform.
    public let layout: TensorLayout
    /// Lowest and highest pixel value; images only.
    public let pixelRange: PixelRange?
    /// Of the channels; images only.
    public let colourOrder: ColourOrder?

    public init(
        name: String,
        kind: TensorKind,
        shape: [Axis],
        dtype: ElementType,
        layout: TensorLayout,
        pixelRange: PixelRange? = nil,
        colourOrder: ColourOrder? = nil
    ) {
        self.name = name
        self.kind = kind
        self.shape = shape
        self.dtype = dtype
        self.layout = layout
        self.pixelRange = pixelRange
        self.colourOrder = colourOrder
    }
}

extension TensorFact {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case name
        case kind
        case shape
        case dtype
        case layout
        case pixelRange = "pixel_range"
        case colourOrder = "colour_order"
    }

    init(reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        name = try object.required(.name).text()
        kind = try object.required(.kind).choice()
        shape = try object.required(.shape).items().map(Axis.init(reading:))
        dtype = try object.required(.dtype).choice()
        layout = try object.required(.layout).choice()
        pixelRange = try object.optional(.pixelRange)?.nullable.map(PixelRange.init(reading:))
        colourOrder = try object.optional(.colourOrder)?.nullable?.choice()
    }
}
