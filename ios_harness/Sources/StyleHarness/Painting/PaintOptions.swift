/// How to paint.
public struct PaintOptions: Hashable, Sendable {
    /// Strength of the style, 0 (the photo) to 1.
    public var strength: Float = 1
    /// Longer side at which files of any size run, and at which a photo is cut into tiles.
    public var maxSide = 1024
    /// Whether to cut the photo into tiles of the file's size; seams may show.
    public var isTiled = false
    /// Rows and columns that neighbouring tiles share.
    public var overlap = 32
    /// Settings of the engine, such as `units`.
    public var settings: [String: String] = [:]

    public init() {}
}
