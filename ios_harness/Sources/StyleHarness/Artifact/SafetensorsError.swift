import Foundation

/// A .safetensors file that cannot be read, and the tensor at fault.
public struct SafetensorsError: LocalizedError, Hashable, CustomStringConvertible {
    /// Name of the tensor; `$` is the whole file.
    public let place: String
    public let reason: String

    init(_ reason: String, at place: String = "$") {
        self.place = place
        self.reason = reason
    }

    public var description: String {
        place == "$" ? "safetensors file: \(reason)" : "tensor \(place): \(reason)"
    }

    public var errorDescription: String? { description }
}
