/// One axis of a picture in a frame: which of its pixels fills each place, edges mirrored.
public enum MirroredAxis {
    /// Return the index of the picture's pixel at each place of the frame.
    ///
    /// - Parameters:
    ///   - length: of the picture, in pixels.
    ///   - before: places of the frame before it.
    ///   - after: places after it.
    public static func indices(length: Int, before: Int, after: Int) -> [Int] {
        indices(length: length, begin: -before, count: before + length + after)
    }

    /// Return the index of the pixel at each place of a stretch that begins somewhere.
    public static func indices(length: Int, begin: Int, count: Int) -> [Int] {
        let period = 2 * length
        return (begin..<begin + count).map { place in
            let folded = ((place % period) + period) % period
            return folded < length ? folded : period - 1 - folded
        }
    }
}
