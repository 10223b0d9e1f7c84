/// Placement of a picture in the input of a file, scaled with its aspect ratio kept and centred.
public struct FramePlan: Hashable, Sendable {
    /// Size of the scaled picture.
    public let inner: PictureSize
    /// First row of the picture in the frame.
    public let top: Int
    /// First column.
    public let left: Int
    /// Size of the frame, that of the file's input.
    public let outer: PictureSize

    /// Fit a picture into a frame; nil is the frame of a file that accepts any size.
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

    /// Return the size at which a file that accepts any size runs a picture.
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

    /// Rounds half to even, like the desktop.
    private static func rounded(_ length: Int, _ scale: Double) -> Int {
        Int((Double(length) * scale).rounded(.toNearestOrEven))
    }
}

/// Indices along one axis of a picture that is padded by mirroring its edges.
public enum MirroredAxis {
    /// Return the source index of each pixel of the padded axis.
    ///
    /// - Parameters:
    ///   - length: number of pixels of the picture.
    ///   - before: number of pixels of padding before it.
    ///   - after: number of pixels of padding after it.
    public static func indices(length: Int, before: Int, after: Int) -> [Int] {
        indices(length: length, begin: -before, count: before + length + after)
    }

    /// Return the source index of each pixel of a range, which may reach beyond the picture.
    public static func indices(length: Int, begin: Int, count: Int) -> [Int] {
        let period = 2 * length
        return (begin..<begin + count).map { place in
            let folded = ((place % period) + period) % period
            return folded < length ? folded : period - 1 - folded
        }
    }
}
