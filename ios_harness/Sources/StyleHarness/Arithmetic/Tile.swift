/// A tile's place in a picture, in pixels.
///
/// Top and left are negative where the picture is smaller than a tile and lies inside it.
public struct Tile: Hashable, Sendable {
    public let top: Int
    public let left: Int
    public let height: Int
    public let width: Int

    public init(top: Int, left: Int, height: Int, width: Int) {
        self.top = top
        self.left = left
        self.height = height
        self.width = width
    }
}
