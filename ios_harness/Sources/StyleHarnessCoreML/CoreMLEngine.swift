#if canImport(CoreML)
import CoreML
import Foundation
import StyleHarness

/// Core ML as an engine for .mlpackage files, which are compiled before they are opened.
public struct CoreMLEngine: Engine {
    /// File name extension of the files that it runs.
    public static let suffix = ".mlpackage"

    private let prepared: [PreparedModel.Key: Result<PreparedModel, EngineError>]

    /// Return an engine with the files of all cells compiled.
    ///
    /// A file that cannot be compiled does not throw here, but when it is opened.
    ///
    /// - Parameters:
    ///   - isTimed: whether to ignore the cache, time the compilation and query the placement, as
    ///     for a measurement.
    ///   - progress: receives a line per file.
    public static func prepared(
        for cells: [JobCell], in artifact: Artifact, isTimed: Bool,
        progress: @Sendable (String) -> Void = { _ in }
    ) async -> CoreMLEngine {
        let compiler = ModelCompiler()
        var prepared: [PreparedModel.Key: Result<PreparedModel, EngineError>] = [:]
        var compiled: [String: CompiledModel] = [:]
        for cell in cells where cell.subject.path.hasSuffix(suffix) {
            let path = cell.subject.path
            guard let units = try? ComputeUnits(requested: cell.requested) else { continue }
            let key = PreparedModel.Key(path: path, units: units)
            guard prepared[key] == nil else { continue }
            progress("\(path): compiling")
            do {
                let model =
                    if let known = compiled[path] { known } else {
                        try await compiler.compiled(
                            artifact.url(of: path), sha256: cell.subject.sha256, isTimed: isTimed
                        )
                    }
                compiled[path] = model
                let placement =
                    isTimed ? await ComputePlacement.shares(of: model.url, units: units) : [:]
                prepared[key] = .success(PreparedModel(model: model, placement: placement))
            } catch {
                let reason = "Core ML cannot compile \(path): \(error.localizedDescription)"
                prepared[key] = .failure(.failed(reason))
            }
        }
        return CoreMLEngine(prepared: prepared)
    }

    public func open(_ file: URL, cell: JobCell) throws -> any Session {
        guard cell.subject.path.hasSuffix(Self.suffix) else {
            throw EngineError.unavailable("iOS runs \(Self.suffix) files, not \(cell.subject.path)")
        }
        let units = try ComputeUnits(requested: cell.requested)
        let key = PreparedModel.Key(path: cell.subject.path, units: units)
        guard let prepared = try prepared[key]?.get() else {
            throw EngineError.failed("\(cell.subject.path) was not compiled")
        }
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units.coreML
        let model = try MLModel(contentsOf: prepared.model.url, configuration: configuration)
        return CoreMLSession(model: model, cell: cell, prepared: prepared)
    }
}

/// A compiled model with the placement of its operations.
struct PreparedModel: Sendable {
    /// A file with compute units.
    struct Key: Hashable, Sendable {
        let path: String
        let units: ComputeUnits
    }

    let model: CompiledModel
    /// Share of the estimated cost by compute unit; empty unless queried.
    let placement: [String: Double]
}
#endif
