/// A tile along one side of a picture, or of a map: in pixels, or in elements.
public struct Span: Hashable, Sendable {
    /// First pixel of the window.
    public let start: Int
    /// First pixel of the tile.
    public let begin: Int
    /// Pixel after the tile's last.
    public let end: Int

    public init(start: Int, begin: Int, end: Int) {
        self.start = start
        self.begin = begin
        self.end = end
    }

    /// Length of the tile.
    public var length: Int { end - begin }
}

/// A tile of a picture, or of a map.
public struct Tile: Hashable, Sendable {
    public let rows: Span
    public let columns: Span

    public init(rows: Span, columns: Span) {
        self.rows = rows
        self.columns = columns
    }

    /// Top, left, bottom and right of the tile in its window.
    public var region: [Int] {
        [
            rows.begin - rows.start, columns.begin - columns.start,
            rows.end - rows.start, columns.end - columns.start,
        ]
    }
}

/// How a map of a picture compares with the picture; see `MapFact`.
public struct MapShape: Hashable, Sendable {
    /// Rows of the map of a window.
    public let height: Int
    /// Columns of the map of a window.
    public let width: Int
    public let stride: Int
    public let scale: Int

    public init(height: Int, width: Int, stride: Int, scale: Int) {
        self.height = height
        self.width = width
        self.stride = stride
        self.scale = scale
    }
}

extension MapFact {
    /// Shape of the map.
    public var mapShape: MapShape {
        MapShape(height: height, width: width, stride: stride, scale: scale)
    }
}

extension StatisticFact {
    /// Shape of the statistic's map.
    public var mapShape: MapShape {
        MapShape(height: height, width: width, stride: stride, scale: scale)
    }
}

/// Tiles of a picture, as all hosts place them; `tests/contract/tiles.json` has examples.
public struct TileGrid: Hashable, Sendable {
    /// Size that tiles cover: on the grid, a window at least. What it has beyond the picture mirrors
    /// the picture's edges.
    public let size: PictureSize
    private let tiling: TilingFact

    public init(picture: PictureSize, tiling: TilingFact) {
        func side(_ length: Int, _ window: Int) -> Int {
            max(window, (length + tiling.grid - 1) / tiling.grid * tiling.grid)
        }
        size = PictureSize(
            height: side(picture.height, tiling.window.height),
            width: side(picture.width, tiling.window.width)
        )
        self.tiling = tiling
    }

    /// Return the tiles of a pass, row by row.
    ///
    /// - Throws: `EngineError` if windows are all margin.
    public func tiles(of pass: TilePassFact) throws -> [Tile] {
        let columns = try Self.spans(
            length: size.width, window: tiling.window.width, first: pass.left, last: pass.right
        )
        let rows = try Self.spans(
            length: size.height, window: tiling.window.height, first: pass.top, last: pass.bottom
        )
        return rows.flatMap { row in columns.map { Tile(rows: row, columns: $0) } }
    }

    /// Return the size of the map of the picture.
    public func size(of map: MapShape) -> PictureSize {
        PictureSize(
            height: map.height + (size.height - tiling.window.height) * map.scale / map.stride,
            width: map.width + (size.width - tiling.window.width) * map.scale / map.stride
        )
    }

    /// Return a tile in elements of a map.
    public func inner(_ tile: Tile, of map: MapShape) -> Tile {
        let inner = size(of: map)
        func span(_ span: Span, _ length: Int, _ last: Int) -> Span {
            func element(_ pixel: Int) -> Int { pixel * map.scale / map.stride }
            return Span(
                start: element(span.start), begin: element(span.begin),
                end: span.end == length ? last : element(span.end)
            )
        }
        return Tile(
            rows: span(tile.rows, size.height, inner.height),
            columns: span(tile.columns, size.width, inner.width)
        )
    }

    /// Return the number of places of a map that lie in a tile.
    public func places(in tile: Tile, of map: MapShape) -> Int {
        let inner = inner(tile, of: map)
        return inner.rows.length * inner.columns.length
    }

    /// Return the most bytes that maps take at once, float32.
    ///
    /// - Parameters:
    ///   - reads: names of the inputs of each pass.
    ///   - gives: names of the outputs of each pass.
    ///   - kept: maps that are kept after their last reader.
    public func storedBytes(
        reads: [Set<String>], gives: [Set<String>], kept: Set<String>
    ) -> Int {
        let sizes = tiling.maps.map { map in
            let size = size(of: map.mapShape)
            let bytes = MemoryLayout<Float>.size * map.channels * size.height * size.width
            return (map.name, bytes)
        }
        let bytes = Dictionary(sizes) { first, _ in first }
        var (most, living) = (0, Set<String>())
        for (number, given) in gives.enumerated() {
            living.formUnion(given.filter { bytes[$0] != nil })
            most = max(most, living.reduce(0) { $0 + (bytes[$1] ?? 0) })
            let later = reads.dropFirst(number + 1).reduce(kept) { $0.union($1) }
            living.formIntersection(later)
        }
        return most
    }

    /// Return the tiles along one side; each pixel lies in one of them.
    ///
    /// - Parameters:
    ///   - length: length of the side, a multiple of the grid and at least a window.
    ///   - window: length of a window's side.
    ///   - first: pixels of a window before its tile, except at the start of the side.
    ///   - last: pixels of a window after its tile, except at the end of the side.
    /// - Throws: `EngineError` if windows are all margin.
    public static func spans(
        length: Int, window: Int, first: Int, last: Int
    ) throws -> [Span] {
        guard first + last < window || length <= window else {
            throw EngineError.failed(
                "a window of \(window) pixels has no tile between margins of \(first) and \(last) "
                    + "pixels: export again with --full and a larger --size"
            )
        }
        var (spans, begin) = ([Span](), 0)
        while begin < length {
            let start = min(max(0, begin - first), length - window)
            let end = start + window == length ? length : start + window - last
            spans.append(Span(start: start, begin: begin, end: end))
            begin = end
        }
        return spans
    }
}
