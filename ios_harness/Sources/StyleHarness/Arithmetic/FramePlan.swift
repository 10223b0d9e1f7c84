/// Where a picture lies in the frame of a file's size, its proportions kept.
public struct FramePlan: Hashable, Sendable {
    /// Of the picture, scaled.
    public let inner: PictureSize
    /// First row of the picture in the frame.
    public let top: Int
    /// First column.
    public let left: Int
    /// Of the frame.
    public let outer: PictureSize

    /// Lay a picture into a file's size; nil is that of a file of any size.
    public init(picture: PictureSize, outer frame: PictureSize?, maxSide: Int, minSide: Int) {
        guard let frame else {
            inner = Self.openSize(picture, maxSide: maxSide, minSide: minSide)
            (top, left, outer) = (0, 0, inner)
            return
        }
        let scale = min(
            Double(frame.height) / Double(picture.height),
            Double(frame.width) / Double(picture.width)
        )
        inner = PictureSize(
            height: min(frame.height, max(1, Self.rounded(picture.height, scale))),
            width: min(frame.width, max(1, Self.rounded(picture.width, scale)))
        )
        (top, left) = ((frame.height - inner.height) / 2, (frame.width - inner.width) / 2)
        outer = frame
    }

    /// Return the size at which a file of any size runs a picture.
    private static func openSize(
        _ picture: PictureSize, maxSide: Int, minSide: Int
    ) -> PictureSize {
        let longer = max(picture.height, picture.width)
        let shorter = min(picture.height, picture.width)
        let scale = max(min(1, Double(maxSide) / Double(longer)), Double(minSide) / Double(shorter))
        func side(_ length: Int) -> Int {
            min(max(minSide, rounded(length, scale)), 4 * maxSide)
        }
        return PictureSize(height: side(picture.height), width: side(picture.width))
    }

    /// Half to even, as the desktop does.
    private static func rounded(_ length: Int, _ scale: Double) -> Int {
        Int((Double(length) * scale).rounded(.toNearestOrEven))
    }
}
