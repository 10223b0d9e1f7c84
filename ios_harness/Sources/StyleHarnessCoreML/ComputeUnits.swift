#if canImport(CoreML)
import CoreML
import Foundation
import StyleHarness

/// The compute units that Core ML may use, by their names on the command line and in reports.
public enum ComputeUnits: String, CaseIterable, Identifiable, Sendable {
    case all
    case cpu
    case cpuGPU = "cpu-gpu"
    case cpuANE = "cpu-ane"

    /// Name of the engine setting.
    public static let setting = "units"

    public var id: String { rawValue }

    /// The same as a value of Core ML.
    var coreML: MLComputeUnits {
        switch self {
        case .all: .all
        case .cpu: .cpuOnly
        case .cpuGPU: .cpuAndGPU
        case .cpuANE: .cpuAndNeuralEngine
        }
    }

    /// The units that the settings of a cell request; all where they request none.
    ///
    /// - Throws: `EngineError` if the units or another setting are unknown.
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

/// Compute units that Core ML plans to run the operations of a program on.
enum ComputePlacement {
    /// Return the share of the estimated cost by compute unit; empty if the system has no plan.
    ///
    /// If the plan has no costs, all operations have equal weight.
    static func shares(of model: URL, units: ComputeUnits) async -> [String: Double] {
        guard #available(iOS 17.4, macOS 14.4, *) else { return [:] }
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units.coreML
        guard
            let plan = try? await MLComputePlan.load(
                contentsOf: model, configuration: configuration
            ),
            case .program(let program) = plan.modelStructure,
            let main = program.functions["main"]
        else { return [:] }
        let weights = main.block.operations.compactMap { operation in
            plan.deviceUsage(for: operation).map { usage in
                (name(of: usage.preferred), plan.estimatedCost(of: operation)?.weight ?? 0)
            }
        }
        return shares(of: weights)
    }

    /// Return the share of each name in the sum of the weights.
    static func shares(of weights: [(String, Double)]) -> [String: Double] {
        let total = weights.reduce(0) { $0 + $1.1 }
        var shares: [String: Double] = [:]
        for (name, weight) in weights {
            let share = total > 0 ? weight / total : 1 / Double(weights.count)
            shares[name, default: 0] += share
        }
        return shares
    }

    @available(iOS 17.0, macOS 14.0, *)
    private static func name(of device: MLComputeDevice) -> String {
        switch device {
        case .cpu: "cpu"
        case .gpu: "gpu"
        case .neuralEngine: "ane"
        @unknown default: "other"
        }
    }
}
#endif
