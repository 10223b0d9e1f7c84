#if canImport(Darwin)
import Dispatch
import StyleHarness

/// An Apple device, as the protocol asks for it.
public struct DeviceHost: BenchHost {
    public let clockName = "mach_absolute_time"
    private let tell: @Sendable (String) -> Void
    private let stopped: @Sendable () -> Bool

    /// - Parameters:
    ///   - say: is told how far the work is.
    ///   - isCancelled: whether the work is to end early.
    public init(
        say: @escaping @Sendable (String) -> Void,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        tell = say
        stopped = isCancelled
    }

    public func now() -> Int { Int(clamping: DispatchTime.now().uptimeNanoseconds) }
    public func memoryBytes() -> Int? { ProcessMemory.footprintBytes }
    public func say(_ line: String) { tell(line) }
    public func isCancelled() -> Bool { stopped() }

    public func picture(of outputs: Tensors, wish: CellWish) -> String? {
        guard let output = wish.outputs.first, output.kind == .image,
            let tensor = outputs[output.name], let picture = try? RGBPicture(tensor: tensor)
        else { return nil }
        return PictureCoder.thumbnail(of: picture)?.base64EncodedString()
    }
}
#endif
