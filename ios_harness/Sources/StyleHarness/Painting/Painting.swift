/// A photo of any size that can be scaled; decoding is up to the platform.
public protocol Photo: Sendable {
    /// Size of the upright picture.
    var size: PictureSize { get }
    /// Tells photos apart; the same for copies.
    var identity: AnyHashable { get }

    /// Return a part of the picture, unscaled.
    func part(top: Int, left: Int, size: PictureSize) throws -> RGBPicture
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
    /// Longest side in pixels for files that accept any size.
    public var maxSide = 1024
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

    /// Size, file, settings, parity and ending, in one line.
    public var note: String {
        let facts = [
            "\(picture.size.width)×\(picture.size.height)", path, effective.settingsNote,
            parity.map(\.note), optimization?.note,
        ]
        return facts.compactMap { $0 }.joined(separator: ", ")
    }
}

extension [String: String] {
    /// Settings as a runtime reports them, in words.
    var settingsNote: String {
        self["units"].map { "units \($0)" }
            ?? sorted { $0.key < $1.key }
            .map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
}

extension ParityFact {
    /// The parity in words.
    var note: String { "\(measuredDb) dB on the probe" }
}
