import Foundation

/// An inference runtime. It opens files and runs them; it measures nothing.
public protocol Engine: Sendable {
    /// Load a file with the settings of a cell.
    ///
    /// - Throws: `EngineError`, or an error of the runtime.
    func open(_ file: URL, cell: JobCell) throws -> any Session
}

/// A loaded file. Tensors are float32, images [1, 3, H, W] in 0..1.
///
/// Input, inference and output are separate calls, so that inference alone can be timed. A session
/// is used by one task at a time.
public protocol Session: AnyObject {
    /// Settings as the runtime reports them, which may differ from the requested ones.
    var effective: [String: String] { get }
    /// Duration of building for the device, if that is separate from loading.
    var compileNs: Int? { get }
    /// Share of the operations by compute unit, 0..1; empty if the system does not report it.
    var placement: [String: Double] { get }

    /// Convert inputs to the types of the runtime.
    func feed(_ inputs: Tensors) throws
    /// Run inference and wait until it has finished.
    func invoke() throws
    /// Return the outputs of the last inference.
    func fetch() throws -> Tensors
    /// Release all resources.
    func close()
}

/// Call a function in an autorelease pool, where there is one: frameworks leave buffers in it.
func withAutoreleasePool<Value>(_ body: () throws -> Value) rethrows -> Value {
    #if canImport(ObjectiveC)
    try autoreleasepool(invoking: body)
    #else
    try body()
    #endif
}

/// Why a file was not run.
public enum EngineError: LocalizedError, Hashable, Sendable, CustomStringConvertible {
    /// Not supported on this device or with these settings; the file is not at fault.
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
