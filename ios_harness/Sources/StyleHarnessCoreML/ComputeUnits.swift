#if canImport(CoreML)
import CoreML
import StyleHarness

/// The compute units that Core ML may choose from, as reports and the command line name them.
public enum ComputeUnits: String, CaseIterable, Identifiable, Sendable {
    case all
    case cpu
    case cpuGPU = "cpu-gpu"
    case cpuANE = "cpu-ane"

    /// The setting that names them.
    public static let setting = "units"

    public var id: String { rawValue }

    /// The same in Core ML's words.
    var coreML: MLComputeUnits {
        switch self {
        case .all: .all
        case .cpu: .cpuOnly
        case .cpuGPU: .cpuAndGPU
        case .cpuANE: .cpuAndNeuralEngine
        }
    }

    /// Return the units that a wish asks for.
    ///
    /// - Throws: `EngineError` where it asks for other units or another setting.
    init(requested: [String: String]) throws {
        if let unknown = requested.keys.sorted().first(where: { $0 != Self.setting }) {
            throw EngineError.unavailable("Core ML has no setting \(unknown), only \(Self.setting)")
        }
        let name = requested[Self.setting] ?? Self.all.rawValue
        guard let units = Self(rawValue: name) else {
            let known = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw EngineError.unavailable("no compute units \(name), expected one of \(known)")
        }
        self = units
    }
}
#endif
