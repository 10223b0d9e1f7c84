// What Apple's Foundation has beyond that of other systems, as far as the harness uses it.
@_exported import Darwin
import Dispatch
import Foundation

extension URL {
    public static var cachesDirectory: URL { URL(filePath: "/") }
    public static var documentsDirectory: URL { URL(filePath: "/") }
    public func startAccessingSecurityScopedResource() -> Bool { true }
    public func stopAccessingSecurityScopedResource() {}
}
extension ProcessInfo {
    public enum ThermalState: Int, Sendable { case nominal, fair, serious, critical }
    public var thermalState: ThermalState { .nominal }
    public var isLowPowerModeEnabled: Bool { false }
}
public final class DispatchSerialQueue: SerialExecutor {
    public init(label: String, qos: DispatchQoS = .unspecified) {}
    public func enqueue(_ job: UnownedJob) {}
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }
}
