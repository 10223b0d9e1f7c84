import Dispatch
import Foundation
import StyleHarness

/// Device services of a dry run in a terminal.
struct TerminalHost: BenchHost {
    let clockName = "DispatchTime"

    /// The machine, as far as Foundation describes it.
    static var machine: MachineFact {
        let process = ProcessInfo.processInfo
        return MachineFact(
            device: "dry run without inference",
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

    func progress(_ line: String) {
        log(line)
    }
}
