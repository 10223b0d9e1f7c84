/// Overlapping tiles of one size that cover a picture, and their blending weights.
///
/// Networks with instance statistics normalize each tile by its own statistics, so seams may show:
/// an app tiles only when its user asks for it.
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

    /// Return the start of each tile along an axis; the last tile ends at the edge.
    ///
    /// An axis shorter than a tile is centred in one tile, whose start is then negative.
    public static func starts(length: Int, tile: Int, overlap: Int) -> [Int] {
        guard length > tile else { return [-((tile - length) / 2)] }
        return Array(stride(from: 0, to: length - tile, by: tile - overlap)) + [length - tile]
    }

    /// Return the weight of each pixel of each tile along an axis; weights sum to 1 at every pixel.
    ///
    /// Weights rise linearly over the overlap at a shared edge and are 0 outside the picture.
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

/// Position and size of a tile in a picture, in pixels.
///
/// Top and left are negative if the picture is smaller than a tile.
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

/// Accumulator that blends stylized tiles into a picture.
public struct TileJoiner {
    private let plan: TilePlan
    private let tiles: [Tile]
    private let down: [[Float]]
    private let across: [[Float]]
    private var sums: [Float]
    private var count = 0

    public init(plan: TilePlan) {
        self.plan = plan
        tiles = plan.tiles
        down = TilePlan.weights(
            length: plan.picture.height, tile: plan.tile.height, overlap: plan.overlap
        )
        across = TilePlan.weights(
            length: plan.picture.width, tile: plan.tile.width, overlap: plan.overlap
        )
        sums = [Float](repeating: 0, count: 3 * plan.picture.height * plan.picture.width)
    }

    /// Add the next tile, in the order of the plan.
    public mutating func add(_ painted: RGBPicture) {
        precondition(painted.size == plan.tile)
        let tile = tiles[count]
        let (rows, columns) = (down[count / across.count], across[count % across.count])
        count += 1
        let (height, width) = (plan.picture.height, plan.picture.width)
        for row in 0..<tile.height where (0..<height).contains(tile.top + row) {
            for column in 0..<tile.width where (0..<width).contains(tile.left + column) {
                let weight = rows[row] * columns[column]
                let from = 3 * (row * tile.width + column)
                let target = 3 * ((tile.top + row) * width + tile.left + column)
                for channel in 0..<3 {
                    sums[target + channel] += weight * Float(painted.bytes[from + channel])
                }
            }
        }
    }

    /// The picture, after all tiles have been added.
    public var picture: RGBPicture {
        let bytes = sums.map { UInt8(min(max($0.rounded(.toNearestOrEven), 0), 255)) }
        return RGBPicture(size: plan.picture, bytes: bytes)
    }
}
