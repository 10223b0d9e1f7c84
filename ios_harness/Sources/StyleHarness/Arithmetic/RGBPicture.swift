/// A picture of three bytes a pixel, row by row.
public struct RGBPicture: Hashable, Sendable {
    public let size: PictureSize
    public let bytes: [UInt8]

    /// - Precondition: there are three bytes a pixel.
    public init(size: PictureSize, bytes: [UInt8]) {
        precondition(bytes.count == 3 * size.height * size.width)
        self.size = size
        self.bytes = bytes
    }

    /// Return the picture in a frame, the rest filled by mirroring its edges.
    ///
    /// - Precondition: the picture is of the plan's inner size.
    public func framed(by plan: FramePlan) -> RGBPicture {
        precondition(size == plan.inner)
        let rows = MirroredAxis.indices(
            length: size.height, before: plan.top,
            after: plan.outer.height - size.height - plan.top
        )
        let columns = MirroredAxis.indices(
            length: size.width, before: plan.left,
            after: plan.outer.width - size.width - plan.left
        )
        return picked(rows: rows, columns: columns)
    }

    /// Return the part of a frame that is the picture.
    public func unframed(by plan: FramePlan) -> RGBPicture {
        precondition(size == plan.outer)
        return picked(
            rows: Array(plan.top..<plan.top + plan.inner.height),
            columns: Array(plan.left..<plan.left + plan.inner.width)
        )
    }

    /// Return what a tile shows: the picture, and outside it its edges mirrored.
    public func tile(_ tile: Tile) -> RGBPicture {
        picked(
            rows: MirroredAxis.indices(length: size.height, begin: tile.top, count: tile.height),
            columns: MirroredAxis.indices(length: size.width, begin: tile.left, count: tile.width)
        )
    }

    /// Return this picture where strength is 0, another where it is 1, and what lies between.
    public func blended(with other: RGBPicture, strength: Float) -> RGBPicture {
        precondition(other.size == size)
        let mixed = zip(bytes, other.bytes).map { first, second in
            let value = Float(first) + strength * (Float(second) - Float(first))
            return UInt8(min(max(value.rounded(.toNearestOrEven), 0), 255))
        }
        return RGBPicture(size: size, bytes: mixed)
    }

    private func picked(rows: [Int], columns: [Int]) -> RGBPicture {
        var picked: [UInt8] = []
        picked.reserveCapacity(3 * rows.count * columns.count)
        for row in rows {
            for column in columns {
                let begin = 3 * (row * size.width + column)
                picked.append(contentsOf: bytes[begin..<begin + 3])
            }
        }
        return RGBPicture(
            size: PictureSize(height: rows.count, width: columns.count), bytes: picked
        )
    }
}
