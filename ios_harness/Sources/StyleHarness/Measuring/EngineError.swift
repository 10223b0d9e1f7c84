import Foundation

/// Why a file was not run.
public enum EngineError: LocalizedError, Hashable, Sendable, CustomStringConvertible {
    /// It cannot run on this device or with these settings, which is no fault of the file.
    case unavailable(String)
    case outOfMemory(String)
    case failed(String)

    public var description: String {
        switch self {
        case .unavailable(let reason), .outOfMemory(let reason), .failed(let reason): reason
        }
    }

    public var errorDescription: String? { description }
}
