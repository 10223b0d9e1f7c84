import Foundation

/// Paints pictures of any size in tiles, exactly as if they were one.
///
/// Each pass sees all tiles, and only then are its statistics known. Passes that do not depend on
/// the style are run once: another strength or style renders from the maps that they stored.
public final class TiledPainter {
    /// Takes a part of a painting, [1, 3, h, w], and where it begins.
    public typealias Write = (_ top: Int, _ left: Int, _ pixels: Tensor) throws -> Void
    /// Receives the progress, and returns whether to go on.
    public typealias Report = (TileProgress) -> Bool

    let tiling: TilingFact
    private let passes: [FileFact]
    private let folder: URL
    private let open: (FileFact) throws -> any Session

    /// - Parameters:
    ///   - tiling: entry of the manifest.
    ///   - files: files of the manifest.
    ///   - folder: folder in which maps are stored.
    ///   - open: loads a file; it is closed after its pass.
    /// - Throws: `EngineError` if a file is not listed.
    public init(
        tiling: TilingFact, files: [FileFact], folder: URL,
        open: @escaping (FileFact) throws -> any Session
    ) throws {
        passes = try tiling.passes.map { pass in
            guard let file = files.first(where: { $0.path == pass.path }) else {
                throw EngineError.failed(
                    "the manifest does not list \(pass.path): export the network again"
                )
            }
            return file
        }
        (self.tiling, self.folder, self.open) = (tiling, folder, open)
    }

    /// The file of the last pass, which gives the image.
    var last: FileFact { passes[passes.count - 1] }

    /// Whether the files take the strength.
    var takesStrength: Bool {
        passes.contains { $0.inputs.contains { $0.kind == .strength } }
    }

    /// Whether the files take a style code.
    var takesStyleCode: Bool {
        passes.contains { $0.inputs.contains { $0.kind == .styleCode } }
    }

    /// Number of the passes that do not depend on the style.
    private var shared: Int { passes.firstIndex { $0.role == .render } ?? 0 }

    /// Return the number of tiles of all passes.
    ///
    /// - Throws: `EngineError` if windows are all margin.
    public func total(of picture: PictureSize) throws -> Int {
        try total(of: picture, before: passes.count)
    }

    private func total(of picture: PictureSize, before number: Int) throws -> Int {
        let grid = TileGrid(picture: picture, tiling: tiling)
        return try tiling.passes.prefix(number).reduce(0) { try $0 + grid.tiles(of: $1).count }
    }

    /// Return the bytes of storage that maps take; `keeping` is that of `features`.
    public func neededBytes(of picture: PictureSize, keeping isKept: Bool) -> Int {
        let gives = passes.map { Set($0.outputs.map(\.name)) }
        let reads = passes.map { Set($0.inputs.map(\.name)) }
        let kept = Set(isKept ? gives.prefix(shared).joined().map { $0 } : [])
        return TileGrid(picture: picture, tiling: tiling)
            .storedBytes(reads: reads, gives: gives, kept: kept)
    }

    /// Run the passes that do not depend on the style.
    ///
    /// - Parameter isKept: whether the maps are kept after `render`, for another one.
    /// - Throws: `EngineError` if there is no room for the maps, or a file computes values that are
    ///   not finite; `CancellationError` if the report said so.
    public func features(
        of picture: any TilePicture, keeping isKept: Bool, report: Report
    ) throws -> TiledFeatures {
        try checkRoom(for: picture.size, keeping: isKept)
        let features = TiledFeatures(
            picture: picture, isKept: isKept, store: try MapStore(in: folder)
        )
        do {
            var run = PassRun(features: features, statistics: [:], inputs: [:])
            for number in 0..<shared {
                try self.run(number, &run, report: report) { _, _, _ in }
            }
            (features.statistics, features.names) = (run.statistics, features.store.names)
        } catch {
            features.close()
            throw error
        }
        return features
    }

    /// Run the passes that depend on the style; where features are not kept, they are used up.
    ///
    /// - Parameters:
    ///   - inputs: `style_code` and `strength`, where the files take them.
    ///   - write: takes the painting tile by tile.
    /// - Throws: see `features`.
    public func render(
        _ features: TiledFeatures, inputs: Tensors, report: Report, write: Write
    ) throws {
        var run = PassRun(features: features, statistics: features.statistics, inputs: inputs)
        // What a painting that was cancelled leaves.
        defer { features.store.remove(features.store.names.subtracting(features.names)) }
        for number in shared..<passes.count {
            try self.run(number, &run, report: report, write: write)
        }
    }

    /// Return the painting of a picture in memory, [1, 3, k·H, k·W].
    ///
    /// - Parameter inputs: the picture, `content`, and what `render` takes.
    /// - Throws: see `features`.
    public func painting(of inputs: Tensors) throws -> Tensor {
        guard let content = inputs["content"] else {
            throw EngineError.failed("there is no content")
        }
        var parts: [(top: Int, left: Int, pixels: Tensor)] = []
        let features = try features(of: TensorPicture(content), keeping: false) { _ in true }
        defer { features.close() }
        try render(features, inputs: inputs, report: { _ in true }) { top, left, pixels in
            parts.append((top, left, pixels))
        }
        let height = parts.map { $0.top + $0.pixels.shape[2] }.max() ?? 0
        let width = parts.map { $0.left + $0.pixels.shape[3] }.max() ?? 0
        var values = [Float](repeating: 0, count: 3 * height * width)
        for (top, left, pixels) in parts {
            let (rows, columns) = (pixels.shape[2], pixels.shape[3])
            for row in 0..<3 * rows {
                let into = (row / rows * height + top + row % rows) * width + left
                let line = pixels.values[row * columns..<(row + 1) * columns]
                values.replaceSubrange(into..<into + columns, with: line)
            }
        }
        return Tensor(shape: [1, 3, height, width], values: values)
    }

    private func checkRoom(for picture: PictureSize, keeping isKept: Bool) throws {
        let needed = neededBytes(of: picture, keeping: isKept)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let facts = try FileManager.default.attributesOfFileSystem(forPath: folder.path)
        let free = (facts[.systemFreeSize] as? NSNumber)?.intValue ?? .max
        guard needed <= free else {
            throw EngineError.failed(
                "feature maps of \(picture.width)x\(picture.height) pixels take "
                    + "\(Self.gigabytes(needed)) of storage, and \(Self.gigabytes(free)) are free: "
                    + "make room, or paint a smaller photo"
            )
        }
    }

    private static func gigabytes(_ bytes: Int) -> String {
        String(format: "%.1f GB", Double(bytes) / 1e9)
    }

    /// What the passes of a painting share.
    private struct PassRun {
        let features: TiledFeatures
        var statistics: Tensors
        let inputs: Tensors
    }

    private func run(
        _ number: Int, _ run: inout PassRun, report: Report, write: Write
    ) throws {
        let (file, picture) = (passes[number], run.features.picture.size)
        let grid = TileGrid(picture: picture, tiling: tiling)
        let tiles = try grid.tiles(of: tiling.passes[number])
        let total = try total(of: picture)
        var done = try self.total(of: picture, before: number)
        for map in tiling.maps where file.outputs.contains(where: { $0.name == map.name }) {
            try run.features.store.add(map, size: grid.size(of: map.mapShape))
        }
        var merged = tiling.statistics
            .filter { fact in file.outputs.contains { $0.name == fact.name } }
            .map { (fact: $0, all: MergedStatistic($0)) }
        let session = try open(file)
        defer { session.close() }
        for tile in tiles {
            let outputs = try withAutoreleasePool {
                try session.feed(inputs(of: file, tile, in: grid, run))
                try session.invoke()
                return try session.fetch()
            }
            try keep(outputs, of: file, tile, in: grid, run.features, write: write)
            for index in merged.indices {
                let fact = merged[index].fact
                let places = grid.places(in: tile, of: fact.mapShape)
                merged[index].all.add(places: places, values: outputs[fact.name]?.values ?? [])
            }
            done += 1
            guard report(TileProgress(done: done, total: total)) else { throw CancellationError() }
        }
        for (fact, all) in merged { run.statistics[fact.name] = all.given }
        dropUnread(after: number, run.features)
    }

    /// Store the maps of a tile, or write its part of the painting.
    private func keep(
        _ outputs: Tensors, of file: FileFact, _ tile: Tile, in grid: TileGrid,
        _ features: TiledFeatures, write: Write
    ) throws {
        for fact in file.outputs {
            guard let output = outputs[fact.name] else {
                throw EngineError.failed("\(file.path) returned no \(fact.name)")
            }
            guard output.values.allSatisfy(\.isFinite) else {
                throw EngineError.failed("\(file.path) returned NaN or infinity for this picture")
            }
            if let map = tiling.maps.first(where: { $0.name == fact.name }) {
                try features.store.map(map.name).write(
                    grid.inner(tile, of: map.mapShape), of: output
                )
            } else if fact.kind == .image {
                try give(output, tile, features.picture.size, write)
            }
        }
    }

    /// Write a tile's part of the painting that lies in the picture.
    private func give(
        _ image: Tensor, _ tile: Tile, _ picture: PictureSize, _ write: Write
    ) throws {
        let scale = image.shape[2] / tiling.window.height
        func inside(_ span: Span, _ length: Int) -> [Int] {
            let count = max(0, min(span.end, length) - span.begin)
            return (0..<scale * count).map { scale * (span.begin - span.start) + $0 }
        }
        let rows = inside(tile.rows, picture.height)
        let columns = inside(tile.columns, picture.width)
        guard !rows.isEmpty && !columns.isEmpty else { return }
        let pixels = image.gathered(rows: rows, columns: columns)
        try write(scale * tile.rows.begin, scale * tile.columns.begin, pixels)
    }

    private func inputs(
        of file: FileFact, _ tile: Tile, in grid: TileGrid, _ run: PassRun
    ) throws -> Tensors {
        var inputs: Tensors = [:]
        for fact in file.inputs {
            switch fact.kind {
            case .image: inputs[fact.name] = try window(of: run.features.picture, tile)
            case .map:
                inputs[fact.name] = try mapWindow(fact.name, tile, in: grid, run.features.store)
            case .region:
                inputs[fact.name] = Tensor(shape: [4], values: tile.region.map(Float.init))
            case .statistic: inputs[fact.name] = run.statistics[fact.name]
            default: inputs[fact.name] = run.inputs[fact.name]
            }
            guard inputs[fact.name] != nil else {
                throw EngineError.failed("\(file.path) takes \(fact.name), which nothing gives")
            }
        }
        return inputs
    }

    private func window(of picture: any TilePicture, _ tile: Tile) throws -> Tensor {
        try picture.window(
            rows: MirroredAxis.indices(
                length: picture.size.height, begin: tile.rows.start, count: tiling.window.height
            ),
            columns: MirroredAxis.indices(
                length: picture.size.width, begin: tile.columns.start, count: tiling.window.width
            )
        )
    }

    private func mapWindow(
        _ name: String, _ tile: Tile, in grid: TileGrid, _ store: MapStore
    ) throws -> Tensor {
        guard let map = tiling.maps.first(where: { $0.name == name }) else {
            throw EngineError.failed("the manifest does not describe \(name)")
        }
        let inner = grid.inner(tile, of: map.mapShape)
        return try store.map(name).window(
            top: inner.rows.start, left: inner.columns.start, height: map.height, width: map.width
        )
    }

    /// Remove maps that no later pass reads, but those of features to be kept.
    private func dropUnread(after number: Int, _ features: TiledFeatures) {
        let later = passes.dropFirst(number + 1).flatMap { $0.inputs.map(\.name) }
        let kept = features.isKept ? features.names : []
        features.store.remove(features.store.names.subtracting(later).subtracting(kept))
    }
}
