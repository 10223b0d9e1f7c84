/// A photo of any size that can be scaled; decoding is up to the platform.
public protocol Photo: Sendable {
    /// Size of the upright picture.
    var size: PictureSize { get }

    /// Return the whole picture, scaled to a size.
    func scaled(to size: PictureSize) throws -> RGBPicture
    /// Return a centre crop with the aspect ratio of a size, scaled to it.
    func centreCrop(to size: PictureSize) throws -> RGBPicture
}

/// The style of a painting.
public enum StyleChoice: Sendable {
    /// The one style of a fixed-style network.
    case fixed
    /// A style code, packed or blended.
    case code([Float])
    /// A style picture.
    case picture(any Photo)
}

/// Options of a painting.
public struct PaintOptions: Hashable, Sendable {
    /// Strength of the style, 0 (the photo) to 1.
    public var strength: Float = 1
    /// Longest side in pixels for files that accept any size, and for tiled photos.
    public var maxSide = 1024
    /// Whether to split the photo into tiles of the file's size; seams may show.
    public var isTiled = false
    /// Number of rows and columns that adjacent tiles share.
    public var overlap = 32
    /// Number of iterations of networks that paint by optimization; nil is the manifest's.
    public var iterations: Int?
    /// Engine settings, such as `units`.
    public var settings: [String: String] = [:]

    public init() {}
}

/// A stylized photo, and the file that produced it.
public struct Painting: Sendable {
    public let picture: RGBPicture
    /// Path of the file below the artifact.
    public let path: String
    /// Settings as the runtime reports them.
    public let effective: [String: String]
    /// Parity of the file on its probe, on this device; nil if there is no probe.
    public let parity: ParityFact?
    /// How the iterations ended; nil for networks that paint at once.
    public let optimization: OptimizationResult?
}
