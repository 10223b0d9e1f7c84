#if canImport(Darwin)
// The task port is a C global that is set once, before any code of the process runs.
@preconcurrency import Darwin
import Dispatch
import StyleHarness

/// Device services of an Apple device.
public struct DeviceHost: BenchHost {
    public let clockName = "mach_absolute_time"
    private let onProgress: @Sendable (String) -> Void
    private let cancelled: @Sendable () -> Bool

    /// - Parameters:
    ///   - progress: receives lines of progress.
    ///   - isCancelled: whether the measurement should stop early.
    public init(
        progress: @escaping @Sendable (String) -> Void,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        onProgress = progress
        cancelled = isCancelled
    }

    public func now() -> Int { Int(clamping: DispatchTime.now().uptimeNanoseconds) }
    public func memoryBytes() -> Int? { ProcessMemory.footprintBytes }
    public func progress(_ line: String) { onProgress(line) }
    public func isCancelled() -> Bool { cancelled() }

    public func picture(of outputs: Tensors, cell: JobCell) -> String? {
        guard let output = cell.outputs.first, output.kind == .image,
            let tensor = outputs[output.name], let picture = try? RGBPicture(tensor: tensor)
        else { return nil }
        return PictureCoder.thumbnail(of: picture)?.base64EncodedString()
    }
}

/// Memory footprint of this process, by which the system decides which app to terminate.
enum ProcessMemory {
    /// Footprint in bytes; nil if the kernel call fails.
    static var footprintBytes: Int? {
        var info = task_vm_info_data_t()
        let words = MemoryLayout<task_vm_info_data_t>.size / MemoryLayout<integer_t>.size
        var count = mach_msg_type_number_t(words)
        let result = withUnsafeMutablePointer(to: &info) { pointer in
            pointer.withMemoryRebound(to: integer_t.self, capacity: words) {
                task_info(mach_task_self_, task_flavor_t(TASK_VM_INFO), $0, &count)
            }
        }
        return result == KERN_SUCCESS ? Int(clamping: info.phys_footprint) : nil
    }
}
#endif
