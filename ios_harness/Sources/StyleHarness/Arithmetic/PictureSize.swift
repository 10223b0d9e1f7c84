/// Height and width of a picture, in pixels.
public struct PictureSize: Hashable, Sendable {
    public let height: Int
    public let width: Int

    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    public init(_ fact: SizeFact) {
        self.init(height: fact.height, width: fact.width)
    }

    /// Return the size with both sides times a factor.
    public func times(_ factor: Int) -> PictureSize {
        PictureSize(height: factor * height, width: factor * width)
    }

    /// Return the choice that keeps the most of this picture's pixels; of equal ones, the smaller.
    ///
    /// - Parameter size: input size of a choice; nil is any size.
    public func best<Choice>(of choices: [Choice], size: (Choice) -> PictureSize?) -> Choice? {
        choices.enumerated().max { first, second in
            let (one, other) = (score(size(first.element)), score(size(second.element)))
            return one == other ? first.offset > second.offset : one < other
        }?.element
    }

    private func score(_ frame: PictureSize?) -> (Double, Int) {
        let pixels = Double(height) * Double(width)
        guard let frame else { return (pixels, 0) }
        let scale = min(
            1, Double(frame.height) / Double(height), Double(frame.width) / Double(width)
        )
        return (scale * scale * Double(height) * Double(width), -frame.height * frame.width)
    }
}
