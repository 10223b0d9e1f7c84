/// An RGB picture of 8 bits per channel, three bytes per pixel, row by row.
public struct RGBPicture: Hashable, Sendable {
    public let size: PictureSize
    public let bytes: [UInt8]

    /// - Precondition: there are three bytes per pixel.
    public init(size: PictureSize, bytes: [UInt8]) {
        precondition(bytes.count == 3 * size.height * size.width)
        self.size = size
        self.bytes = bytes
    }

    /// Return the picture padded to the frame of a plan by mirroring its edges.
    ///
    /// - Precondition: the picture has the plan's inner size.
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
        return gathered(rows: rows, columns: columns)
    }

    /// Return the picture without the padding that `framed` added.
    ///
    /// - Precondition: the picture has the plan's outer size, or a whole multiple of it.
    public func unframed(by plan: FramePlan) -> RGBPicture {
        let scale = size.height / plan.outer.height
        precondition(size == plan.outer.times(scale))
        return gathered(
            rows: Array(scale * plan.top..<scale * (plan.top + plan.inner.height)),
            columns: Array(scale * plan.left..<scale * (plan.left + plan.inner.width))
        )
    }

    /// Return the picture at a whole multiple of its size, each pixel repeated.
    public func enlarged(to other: PictureSize) -> RGBPicture {
        if other == size { return self }
        let scale = other.height / size.height
        precondition(other == size.times(scale))
        return gathered(
            rows: (0..<other.height).map { $0 / scale },
            columns: (0..<other.width).map { $0 / scale }
        )
    }

    /// Return the linear blend with another picture: strength 0 is this one, 1 the other.
    public func blended(with other: RGBPicture, strength: Float) -> RGBPicture {
        precondition(other.size == size)
        let mixed = zip(bytes, other.bytes).map { first, second in
            let value = Float(first) + strength * (Float(second) - Float(first))
            return UInt8(min(max(value.rounded(.toNearestOrEven), 0), 255))
        }
        return RGBPicture(size: size, bytes: mixed)
    }

    /// Return the pixels at the given rows and columns.
    private func gathered(rows: [Int], columns: [Int]) -> RGBPicture {
        var gathered: [UInt8] = []
        gathered.reserveCapacity(3 * rows.count * columns.count)
        for row in rows {
            for column in columns {
                let begin = 3 * (row * size.width + column)
                gathered.append(contentsOf: bytes[begin..<begin + 3])
            }
        }
        return RGBPicture(
            size: PictureSize(height: rows.count, width: columns.count), bytes: gathered
        )
    }
}

extension RGBPicture {
    /// The picture as [1, 3, H, W] in 0..1.
    public var tensor: Tensor {
        let values = PixelFormat.harness.floats(
            ofRGB: bytes, height: size.height, width: size.width
        )
        return Tensor(shape: [1, 3, size.height, size.width], values: values)
    }

    /// Convert a tensor [1, 3, H, W] in 0..1 to a picture.
    ///
    /// - Throws: `EngineError` if the tensor has another shape.
    public init(tensor: Tensor) throws {
        guard tensor.shape.count == 4, tensor.shape[0] == 1, tensor.shape[1] == 3 else {
            throw EngineError.failed("expected a picture [1, 3, H, W], got \(tensor.shape)")
        }
        let size = PictureSize(height: tensor.shape[2], width: tensor.shape[3])
        let bytes = PixelFormat.harness.rgb(
            ofFloats: tensor.values, height: size.height, width: size.width
        )
        self.init(size: size, bytes: bytes)
    }
}
