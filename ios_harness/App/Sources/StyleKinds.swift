/// What an artifact's files take as a style.
struct StyleKinds: Sendable {
    let hasItsOwn: Bool
    let takesPictures: Bool
    /// Packed codes by name.
    let codes: [String: [Float]]
}
