import Foundation

/// A feature map of a whole picture in a file, written and read window by window.
///
/// The file holds rows of pixels of channels, float32: a row of a window is one piece of it.
final class StoredMap {
    private let url: URL
    private let file: FileHandle
    private let channels: Int
    private let size: PictureSize

    init(url: URL, channels: Int, size: PictureSize) throws {
        guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
            throw EngineError.failed("\(url.lastPathComponent) cannot be created")
        }
        file = try FileHandle(forUpdating: url)
        (self.url, self.channels, self.size) = (url, channels, size)
    }

    /// Write a tile's part of the map of its window, [1, channels, height, width].
    func write(_ tile: Tile, of window: Tensor) throws {
        let (height, width) = (window.shape[2], window.shape[3])
        let (top, left, count) = (tile.region[0], tile.region[1], tile.columns.length)
        var row = [Float](repeating: 0, count: channels * count)
        for number in 0..<tile.rows.length {
            window.values.withUnsafeBufferPointer { values in
                for channel in 0..<channels {
                    let from = (channel * height + top + number) * width + left
                    for column in 0..<count {
                        row[column * channels + channel] = values[from + column]
                    }
                }
            }
            let place = (tile.rows.begin + number) * size.width + tile.columns.begin
            try row.withUnsafeBytes { bytes in
                try transfer(bytes.count, at: place) { done, offset in
                    pwrite(
                        file.fileDescriptor, bytes.baseAddress?.advanced(by: done),
                        bytes.count - done, offset
                    )
                }
            }
        }
    }

    /// Return a window, [1, channels, height, width].
    func window(top: Int, left: Int, height: Int, width: Int) throws -> Tensor {
        var data = [Float](repeating: 0, count: channels * height * width)
        var row = [Float](repeating: 0, count: channels * width)
        for number in 0..<height {
            let place = (top + number) * size.width + left
            try row.withUnsafeMutableBytes { bytes in
                try transfer(bytes.count, at: place) { done, offset in
                    pread(
                        file.fileDescriptor, bytes.baseAddress?.advanced(by: done),
                        bytes.count - done, offset
                    )
                }
            }
            data.withUnsafeMutableBufferPointer { values in
                for channel in 0..<channels {
                    let into = (channel * height + number) * width
                    for column in 0..<width {
                        values[into + column] = row[column * channels + channel]
                    }
                }
            }
        }
        return Tensor(shape: [1, channels, height, width], values: data)
    }

    /// Remove the file.
    func close() {
        try? file.close()
        try? FileManager.default.removeItem(at: url)
    }

    /// Read or write bytes from a pixel on, until all are done.
    private func transfer(
        _ count: Int, at place: Int, _ some: (_ done: Int, _ offset: off_t) -> Int
    ) throws {
        let begin = MemoryLayout<Float>.size * place * channels
        var done = 0
        while done < count {
            let more = some(done, off_t(begin + done))
            guard more > 0 else {
                let reason = more < 0 ? String(cString: strerror(errno)) : "it ends early"
                throw EngineError.failed(
                    "the feature map \(url.lastPathComponent) cannot be stored: \(reason)"
                )
            }
            done += more
        }
    }
}

/// The maps of one picture by name, in a folder of their own that is removed with them.
final class MapStore {
    private let folder: URL
    private var maps: [String: StoredMap] = [:]

    /// - Parameter parent: folder in which the store's own is made.
    init(in parent: URL) throws {
        folder = parent.appending(path: "maps-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { close() }

    /// Names of the maps.
    var names: Set<String> { Set(maps.keys) }

    /// Make room for a map.
    func add(_ map: MapFact, size: PictureSize) throws {
        maps.removeValue(forKey: map.name)?.close()
        maps[map.name] = try StoredMap(
            url: folder.appending(path: map.name), channels: map.channels, size: size
        )
    }

    /// Return a map.
    func map(_ name: String) throws -> StoredMap {
        guard let map = maps[name] else {
            throw EngineError.failed("no pass before it gives \(name)")
        }
        return map
    }

    /// Remove maps.
    func remove(_ names: Set<String>) {
        names.forEach { maps.removeValue(forKey: $0)?.close() }
    }

    /// Remove all maps.
    func close() {
        remove(names)
        try? FileManager.default.removeItem(at: folder)
    }
}
