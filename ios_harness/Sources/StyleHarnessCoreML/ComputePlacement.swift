#if canImport(CoreML)
import CoreML
import Foundation

/// Where Core ML means to run the operations of a program.
enum ComputePlacement {
    /// Return share of the estimated cost by compute unit; empty where the system does not tell.
    ///
    /// Where a program has no costs, every operation counts alike.
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
        let weighed = main.block.operations.compactMap { operation in
            plan.deviceUsage(for: operation).map { usage in
                (name(of: usage.preferred), plan.estimatedCost(of: operation)?.weight ?? 0)
            }
        }
        return shares(of: weighed)
    }

    /// Return the share of each name in the sum of its weights.
    static func shares(of weighed: [(String, Double)]) -> [String: Double] {
        let total = weighed.reduce(0) { $0 + $1.1 }
        var shares: [String: Double] = [:]
        for (name, weight) in weighed {
            let share = total > 0 ? weight / total : 1 / Double(weighed.count)
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
