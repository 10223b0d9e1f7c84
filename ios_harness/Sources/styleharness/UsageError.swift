/// A call that is none of this tool's, and what to type.
struct UsageError: Error, CustomStringConvertible {
    let reason: String

    var description: String { reason }
}
