import Foundation

/// What opens files; it measures nothing.
public protocol Engine: Sendable {
    /// Return a session on a file, with the settings that were asked for.
    ///
    /// - Throws: `EngineError`, or what the runtime throws.
    func open(_ file: URL, wish: CellWish) throws -> any Session
}
