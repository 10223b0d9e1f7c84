/// What became of a cell; `measured` alone has samples.
public enum CellStatus: String, Codable, CaseIterable, Hashable, Sendable {
    case failed
    case measured
    case outOfMemory = "out-of-memory"
    case unavailable
    case wrong
}
