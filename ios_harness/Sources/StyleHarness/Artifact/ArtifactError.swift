import Foundation

/// An artifact directory that cannot be used, and why, in one line.
public struct ArtifactError: LocalizedError, Hashable, CustomStringConvertible {
    public let reason: String

    public init(_ reason: String) {
        self.reason = reason
    }

    public var description: String { reason }
    public var errorDescription: String? { reason }
}
