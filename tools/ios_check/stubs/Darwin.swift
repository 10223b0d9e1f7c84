// Signatures of Apple's Darwin, as far as the harness uses them.
public typealias integer_t = Int32
public typealias mach_msg_type_number_t = UInt32
public typealias mach_port_t = UInt32
public typealias task_flavor_t = UInt32
public typealias kern_return_t = Int32
public struct task_vm_info_data_t {
    public init() {}
    public var phys_footprint: UInt64 = 0
}
public let TASK_VM_INFO: Int32 = 22
public let KERN_SUCCESS: Int32 = 0
public var mach_task_self_: mach_port_t = 0
@discardableResult
public func sysctlbyname(
    _: UnsafePointer<CChar>?, _: UnsafeMutableRawPointer?, _: UnsafeMutablePointer<Int>?,
    _: UnsafeMutableRawPointer?, _: Int
) -> Int32 { 0 }
public func task_info(
    _: mach_port_t, _: task_flavor_t, _: UnsafeMutablePointer<integer_t>?,
    _: UnsafeMutablePointer<mach_msg_type_number_t>?
) -> kern_return_t { 0 }
