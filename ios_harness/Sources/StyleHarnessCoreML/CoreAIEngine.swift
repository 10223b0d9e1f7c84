#if canImport(CoreAI)
import CoreAI
import Dispatch
import Foundation
import StyleHarness

/// Core AI as an engine for .aimodel folders, which are specialized for the device before they are
/// opened. Written from Apple's documentation of iOS 27; it has never been run.
@available(iOS 27.0, macOS 27.0, *)
struct CoreAIEngine: Engine {
    /// File name extension of the files that it runs.
    static let suffix = ".aimodel"

    private let prepared: [Key: Result<SpecializedModel, EngineError>]

    /// Return an engine with the files of all cells specialized.
    ///
    /// The system keeps specialized models: only the first preparation of a file tells what it costs.
    /// A file that cannot be specialized does not throw here, but when it is opened.
    ///
    /// - Parameter progress: receives a line per file.
    static func prepared(
        for cells: [JobCell], in artifact: Artifact, progress: @Sendable (String) -> Void
    ) async -> CoreAIEngine {
        var prepared: [Key: Result<SpecializedModel, EngineError>] = [:]
        for cell in cells where cell.subject.path.hasSuffix(suffix) {
            let path = cell.subject.path
            guard let units = try? ComputeUnits(requested: cell.requested) else { continue }
            let key = Key(path: path, units: units)
            guard prepared[key] == nil else { continue }
            progress("\(path): specializing")
            let begin = DispatchTime.now().uptimeNanoseconds
            do {
                let model = try await AIModel(
                    contentsOf: artifact.url(of: path), options: units.coreAI
                )
                let duration = DispatchTime.now().uptimeNanoseconds - begin
                prepared[key] = .success(
                    SpecializedModel(model: model, durationNs: Int(clamping: duration))
                )
            } catch {
                let reason = "Core AI cannot load \(path): \(error.localizedDescription)"
                prepared[key] = .failure(.failed(reason))
            }
        }
        return CoreAIEngine(prepared: prepared)
    }

    func open(_ file: URL, cell: JobCell) throws -> any Session {
        let units = try ComputeUnits(requested: cell.requested)
        guard let specialized = try prepared[Key(path: cell.subject.path, units: units)]?.get()
        else { throw EngineError.failed("\(cell.subject.path) was not specialized") }
        // A file of several sizes has a function for each.
        let names = ["main", "main_\(cell.size.height)x\(cell.size.width)"]
        let known = specialized.model.functionNames
        guard let name = names.first(where: { known.contains($0) }),
            let function = try specialized.model.loadFunction(named: name)
        else {
            throw EngineError.failed("\(cell.subject.path) has no function \(names[1])")
        }
        return CoreAISession(
            function: function, cell: cell, units: units, compileNs: specialized.durationNs
        )
    }

    private struct Key: Hashable, Sendable {
        let path: String
        let units: ComputeUnits
    }
}

/// A model of this device, and how long the system took to give it.
@available(iOS 27.0, macOS 27.0, *)
private struct SpecializedModel: Sendable {
    let model: AIModel
    let durationNs: Int
}

@available(iOS 27.0, macOS 27.0, *)
extension ComputeUnits {
    /// The same as options of Core AI, which prefers compute units and forbids none but for the CPU.
    fileprivate var coreAI: SpecializationOptions {
        switch self {
        case .all: .default
        case .cpu: .cpuOnly
        case .cpuGPU: SpecializationOptions(preferredComputeUnitKind: .gpu)
        case .cpuANE: SpecializationOptions(preferredComputeUnitKind: .neuralEngine)
        }
    }
}
#endif
