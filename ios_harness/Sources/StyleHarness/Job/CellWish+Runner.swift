extension CellWish {
    /// The runner that a report names; a job of the app's own names none.
    public var reportedRunner: String { runner.isEmpty ? "ios" : runner }
}
