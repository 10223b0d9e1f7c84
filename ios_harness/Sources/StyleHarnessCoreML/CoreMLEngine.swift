#if canImport(CoreML)
import CoreML
import Foundation
import StyleHarness

/// Core ML: runs .mlpackage folders that were compiled beforehand.
public struct CoreMLEngine: Engine {
    /// The suffix of the files that it runs.
    public static let suffix = ".mlpackage"

    private let prepared: [PreparedModel.Key: Result<PreparedModel, EngineError>]

    /// Compile all files of some wishes.
    ///
    /// A file that cannot be compiled is no error here; its wish fails when it is opened.
    ///
    /// - Parameters:
    ///   - isTimed: whether to compile, and to time it, even what was compiled before, and to ask
    ///     where operations will run: for measuring, not for painting.
    ///   - say: is told how far the work is.
    public static func prepared(
        for wishes: [CellWish], in artifact: Artifact, isTimed: Bool,
        say: @Sendable (String) -> Void = { _ in }
    ) async -> CoreMLEngine {
        let compiler = ModelCompiler()
        var prepared: [PreparedModel.Key: Result<PreparedModel, EngineError>] = [:]
        var compiled: [String: CompiledModel] = [:]
        for wish in wishes where wish.subject.path.hasSuffix(suffix) {
            let path = wish.subject.path
            guard let units = try? ComputeUnits(requested: wish.requested) else { continue }
            let key = PreparedModel.Key(path: path, units: units)
            guard prepared[key] == nil else { continue }
            say("\(path): compiling")
            do {
                let model =
                    if let known = compiled[path] { known } else {
                        try await compiler.compiled(
                            artifact.url(of: path), sha256: wish.subject.sha256, again: isTimed
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

    public func open(_ file: URL, wish: CellWish) throws -> any Session {
        guard wish.subject.path.hasSuffix(Self.suffix) else {
            throw EngineError.unavailable("iOS runs \(Self.suffix) files, not \(wish.subject.path)")
        }
        let units = try ComputeUnits(requested: wish.requested)
        let key = PreparedModel.Key(path: wish.subject.path, units: units)
        guard let prepared = try prepared[key]?.get() else {
            throw EngineError.failed("\(wish.subject.path) was not compiled")
        }
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units.coreML
        let model = try MLModel(contentsOf: prepared.model.url, configuration: configuration)
        return CoreMLSession(model: model, wish: wish, prepared: prepared)
    }
}
#endif
