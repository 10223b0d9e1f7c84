// Signatures of Apple's Metal, as far as the harness uses them.
public protocol MTLDevice: AnyObject {
    var name: String { get }
}
public func MTLCreateSystemDefaultDevice() -> (any MTLDevice)? { nil }
