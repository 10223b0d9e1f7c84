#if canImport(Darwin)
// The task port is a global of C, which is set once before anything runs.
@preconcurrency import Darwin

/// The memory of this process, by which the system decides whom to end.
enum ProcessMemory {
    /// The bytes that are counted against the process; nil where the kernel does not tell.
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
