// Signatures of Apple's UIKit, as far as the harness uses them.
@MainActor open class UIDevice {
    public enum BatteryState: Int, Sendable { case unknown, unplugged, charging, full }
    public static let current = UIDevice()
    public var isBatteryMonitoringEnabled = false
    public var batteryState: BatteryState { .unknown }
    public var batteryLevel: Float { 0 }
}
@MainActor open class UIApplication {
    public static let shared = UIApplication()
    public var isIdleTimerDisabled = false
}
