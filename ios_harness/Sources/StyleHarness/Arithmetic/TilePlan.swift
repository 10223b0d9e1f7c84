/// Overlapping tiles of one size that cover a picture, and how much each counts where they meet.
///
/// Networks with instance statistics paint each tile by its own statistics, so that seams may show:
/// an app tiles only where its user asks for it.
public struct TilePlan: Hashable, Sendable {
    public let picture: PictureSize
    public let tile: PictureSize
    public let overlap: Int

    /// - Precondition: the overlap is at least 0 and less than a side of the tile.
    public init(picture: PictureSize, tile: PictureSize, overlap: Int) {
        precondition(overlap >= 0 && overlap < min(tile.height, tile.width))
        self.picture = picture
        self.tile = tile
        self.overlap = overlap
    }

    /// The tiles, row by row.
    public var tiles: [Tile] {
        let rows = Self.starts(length: picture.height, tile: tile.height, overlap: overlap)
        let columns = Self.starts(length: picture.width, tile: tile.width, overlap: overlap)
        return rows.flatMap { top in
            columns.map { Tile(top: top, left: $0, height: tile.height, width: tile.width) }
        }
    }

    /// Return where tiles of an axis begin, the last drawn back to the edge.
    ///
    /// An axis that is shorter than a tile lies in the middle of one, which begins before it.
    public static func starts(length: Int, tile: Int, overlap: Int) -> [Int] {
        guard length > tile else { return [-((tile - length) / 2)] }
        return Array(stride(from: 0, to: length - tile, by: tile - overlap)) + [length - tile]
    }

    /// Return how much each pixel of each tile of an axis counts; they sum to 1 at every pixel.
    ///
    /// A tile rises over the overlap at an edge that it shares, in equal steps; its pixels outside
    /// the picture count 0.
    public static func weights(length: Int, tile: Int, overlap: Int) -> [[Float]] {
        let starts = starts(length: length, tile: tile, overlap: overlap)
        let ramps = starts.map { ramp(begin: $0, length: length, tile: tile, overlap: overlap) }
        var total = [Double](repeating: 0, count: length)
        for (begin, ramp) in zip(starts, ramps) {
            for place in 0..<tile where total.indices.contains(begin + place) {
                total[begin + place] += ramp[place]
            }
        }
        return zip(starts, ramps).map { begin, ramp in
            (0..<tile).map { place in
                total.indices.contains(begin + place)
                    ? Float(ramp[place] / total[begin + place]) : 0
            }
        }
    }

    private static func ramp(begin: Int, length: Int, tile: Int, overlap: Int) -> [Double] {
        let step = 1 / Double(overlap + 1)
        return (0..<tile).map { place in
            let rising = begin > 0 ? Double(place + 1) * step : 1
            let falling = begin + tile < length ? Double(tile - place) * step : 1
            return min(1, rising, falling)
        }
    }
}
