import Dispatch
import Foundation
import StyleHarness

/// A terminal as the device of a dry run.
struct TerminalHost: BenchHost {
    let clockName = "DispatchTime"

    /// What it runs on, as far as Foundation tells.
    static var machine: MachineFact {
        let process = ProcessInfo.processInfo
        return MachineFact(
            device: "dry run, nothing is computed",
            os: process.operatingSystemVersionString,
            processor: "unknown",
            cores: process.activeProcessorCount,
            memoryBytes: Int(clamping: process.physicalMemory)
        )
    }

    func now() -> Int {
        Int(clamping: DispatchTime.now().uptimeNanoseconds)
    }

    func memoryBytes() -> Int? { nil }

    func say(_ line: String) {
        talk(line)
    }
}
