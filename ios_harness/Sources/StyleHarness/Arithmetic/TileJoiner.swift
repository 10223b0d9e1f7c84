/// Joins painted tiles into a picture, each weighted by its ramps.
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

    /// The picture, once all tiles are in.
    public var picture: RGBPicture {
        let bytes = sums.map { UInt8(min(max($0.rounded(.toNearestOrEven), 0), 255)) }
        return RGBPicture(size: plan.picture, bytes: bytes)
    }
}
