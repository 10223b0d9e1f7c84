/// A picture that is read window by window.
public protocol TilePicture {
    var size: PictureSize { get }

    /// Return the pixels of some rows and columns, [1, 3, rows, columns] in 0..1.
    func window(rows: [Int], columns: [Int]) throws -> Tensor
}

/// A picture in memory, [1, 3, H, W] in 0..1.
public struct TensorPicture: TilePicture {
    private let image: Tensor

    public init(_ image: Tensor) {
        self.image = image
    }

    public var size: PictureSize { PictureSize(height: image.shape[2], width: image.shape[3]) }

    public func window(rows: [Int], columns: [Int]) -> Tensor {
        image.gathered(rows: rows, columns: columns)
    }
}

/// A photo, of which only windows become floats.
struct PhotoPicture<Source: Photo>: TilePicture {
    let photo: Source

    var size: PictureSize { photo.size }

    func window(rows: [Int], columns: [Int]) throws -> Tensor {
        guard let top = rows.min(), let bottom = rows.max(), let left = columns.min(),
            let right = columns.max()
        else { return Tensor(shape: [1, 3, rows.count, columns.count], values: []) }
        let size = PictureSize(height: bottom + 1 - top, width: right + 1 - left)
        return try withAutoreleasePool {
            try photo.part(top: top, left: left, size: size).tensor
                .gathered(rows: rows.map { $0 - top }, columns: columns.map { $0 - left })
        }
    }
}

extension Tensor {
    /// Return a part of an image, of some rows and columns.
    func gathered(rows: [Int], columns: [Int]) -> Tensor {
        let (channels, height, width) = (shape[1], shape[2], shape[3])
        var part: [Float] = []
        part.reserveCapacity(channels * rows.count * columns.count)
        values.withUnsafeBufferPointer { values in
            for channel in 0..<channels {
                for row in rows {
                    let base = (channel * height + row) * width
                    for column in columns { part.append(values[base + column]) }
                }
            }
        }
        return Tensor(shape: [1, channels, rows.count, columns.count], values: part)
    }

    /// Return the linear blend with another image: strength 0 is this one, 1 the other.
    func blended(with other: Tensor, strength: Float) -> Tensor {
        precondition(shape == other.shape)
        return Tensor(
            shape: shape, values: zip(values, other.values).map { $0 + strength * ($1 - $0) }
        )
    }
}

/// Progress of a painting in tiles.
public struct TileProgress: Hashable, Sendable {
    /// Number of tiles done, of all passes.
    public let done: Int
    /// Number of tiles of all passes.
    public let total: Int

    public init(done: Int, total: Int) {
        self.done = done
        self.total = total
    }
}

/// A picture after the passes that do not depend on the style; its files are removed with it.
public final class TiledFeatures {
    let picture: any TilePicture
    let isKept: Bool
    let store: MapStore
    /// Statistics as files take them, by name.
    var statistics: Tensors = [:]
    /// Names of the maps.
    var names: Set<String> = []

    init(picture: any TilePicture, isKept: Bool, store: MapStore) {
        self.picture = picture
        self.isKept = isKept
        self.store = store
    }

    /// Remove the maps.
    public func close() { store.close() }
}
