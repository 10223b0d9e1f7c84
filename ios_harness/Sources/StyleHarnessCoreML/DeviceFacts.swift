#if canImport(Darwin) && canImport(CoreML)
import CoreML
import Foundation
import Metal
import StyleHarness
#if canImport(UIKit)
import UIKit
#endif
#if os(iOS)
import os
#endif

/// Description and current state of this device, for reports.
public enum DeviceFacts {
    /// Model, system, processor and accelerators.
    public static var machine: MachineFact {
        let process = ProcessInfo.processInfo
        let version = process.operatingSystemVersion
        let gpu = MTLCreateSystemDefaultDevice()?.name
        return MachineFact(
            device: model,
            os: "\(systemName) \(version.majorVersion).\(version.minorVersion)."
                + "\(version.patchVersion)",
            processor: processor(gpu: gpu),
            cores: process.activeProcessorCount,
            memoryBytes: Int(clamping: process.physicalMemory),
            accelerators: accelerators(gpu: gpu),
            versions: ["system": process.operatingSystemVersionString],
            emulator: isSimulator
        )
    }

    /// Whether this is a debug build, which runs Swift code unoptimized.
    public static var isDebugBuild: Bool {
        #if DEBUG
        true
        #else
        false
        #endif
    }

    private static var isSimulator: Bool {
        #if targetEnvironment(simulator)
        true
        #else
        false
        #endif
    }

    /// Temperature, charge and free memory. Must not be called on the main thread, which it waits
    /// for to read the battery.
    public static var state: StateFact {
        let process = ProcessInfo.processInfo
        let battery = Self.battery
        return StateFact(
            thermal: ThermalFact(scale: .apple, value: Double(process.thermalState.rawValue)),
            batteryPercent: battery.percent,
            charging: battery.isCharging,
            lowPower: process.isLowPowerModeEnabled,
            freeMemoryBytes: freeMemoryBytes
        )
    }

    private static var freeMemoryBytes: Int? {
        #if os(iOS)
        os_proc_available_memory()
        #else
        nil
        #endif
    }

    private static var battery: (percent: Double?, isCharging: Bool?) {
        #if canImport(UIKit)
        let read: @MainActor () -> (Double?, Bool?) = {
            let device = UIDevice.current
            device.isBatteryMonitoringEnabled = true
            guard device.batteryState != .unknown else { return (nil, nil) }
            let percent = (Double(device.batteryLevel) * 100).rounded()
            return (percent, device.batteryState != .unplugged)
        }
        return DispatchQueue.main.sync { MainActor.assumeIsolated(read) }
        #else
        return (nil, nil)
        #endif
    }

    private static var systemName: String {
        #if os(iOS)
        "iOS"
        #elseif os(macOS)
        "macOS"
        #else
        "other"
        #endif
    }

    /// Apple's model identifier, such as `iPhone16,2`.
    private static var model: String {
        if let simulated = ProcessInfo.processInfo.environment["SIMULATOR_MODEL_IDENTIFIER"] {
            return "\(simulated) (simulator)"
        }
        #if os(macOS)
        return systemText("hw.model") ?? "Mac"
        #else
        return systemText("hw.machine") ?? "unknown"
        #endif
    }

    /// The chip; iOS reports it only in the name of its GPU ("Apple A17 Pro GPU").
    private static func processor(gpu: String?) -> String {
        let brand = systemText("machdep.cpu.brand_string")
        let fromGPU = gpu.map { $0.hasSuffix(" GPU") ? String($0.dropLast(4)) : $0 }
        return brand ?? fromGPU ?? "unknown"
    }

    private static func accelerators(gpu: String?) -> [String] {
        let hasNeuralEngine = MLComputeDevice.allComputeDevices.contains {
            if case .neuralEngine = $0 { true } else { false }
        }
        return [gpu, hasNeuralEngine ? "Neural Engine" : nil].compactMap { $0 }
    }

    private static func systemText(_ name: String) -> String? {
        var length = 0
        guard sysctlbyname(name, nil, &length, nil, 0) == 0, length > 1 else { return nil }
        var text = [CChar](repeating: 0, count: length)
        guard sysctlbyname(name, &text, &length, nil, 0) == 0 else { return nil }
        return String(decoding: text.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
#endif
