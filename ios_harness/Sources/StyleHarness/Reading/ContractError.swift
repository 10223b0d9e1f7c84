/// A manifest, report or job that is not what its schema says, and where in it.
public struct ContractError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where, as a JSON path such as `$.cells[0].status`; `$` is the whole.
    public let path: String
    /// What was expected and what was found.
    public let reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(reason) - at `\(path)`" }
}
