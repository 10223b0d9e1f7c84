/// Limits of the schemas that many fields share.
enum JSONLimits {
    /// Characters of a few words.
    static let text = 400
    /// Monotonic nanoseconds.
    static let nanoseconds = 0...1_000_000_000_000_000
    /// What a signed integer of 64 bits holds in every language.
    static let count = 0...(1 << 62)
    /// Samples of one list.
    static let samples = 0...1_000_000
    /// Entries of a table of facts.
    static let facts = 100
    /// Characters of a picture in base64.
    static let picture = 400_000
    /// Pixels of a side.
    static let side = 16_384
}
