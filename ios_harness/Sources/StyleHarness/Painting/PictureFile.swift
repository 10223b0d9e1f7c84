import Foundation

/// A picture in a file: rows of red, green, blue and 255, which a system maps into memory.
public final class PictureFile {
    public let url: URL
    public let size: PictureSize
    private let file: FileHandle

    /// Make a file for a picture of a size.
    ///
    /// - Throws: `EngineError` if there is no room for it.
    public init(in folder: URL, size: PictureSize) throws {
        url = folder.appending(path: "painting-\(UUID().uuidString)")
        guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
            throw EngineError.failed("the painting cannot be stored in \(folder.path)")
        }
        file = try FileHandle(forUpdating: url)
        self.size = size
    }

    deinit { remove() }

    /// Remove the file; what has been mapped of it stays.
    public func remove() {
        try? file.close()
        try? FileManager.default.removeItem(at: url)
    }

    /// Write a part of the picture, [1, 3, h, w] in 0..1.
    ///
    /// - Throws: `EngineError` if it cannot be stored.
    public func write(top: Int, left: Int, pixels: Tensor) throws {
        let part = try RGBPicture(tensor: pixels)
        let columns = part.size.width
        for row in 0..<part.size.height {
            var line = [UInt8](repeating: 255, count: 4 * columns)
            for pixel in 0..<columns {
                for channel in 0..<3 {
                    line[4 * pixel + channel] = part.bytes[3 * (row * columns + pixel) + channel]
                }
            }
            do {
                try file.seek(toOffset: UInt64(4 * ((top + row) * size.width + left)))
                try file.write(contentsOf: line)
            } catch {
                throw EngineError.failed("the painting cannot be stored: \(error)")
            }
        }
    }

    /// Return the bytes, four a pixel; they are read from the file when they are used.
    public func mapped() throws -> Data {
        try Data(contentsOf: url, options: .alwaysMapped)
    }
}
