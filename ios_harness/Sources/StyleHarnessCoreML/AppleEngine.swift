#if canImport(CoreML)
import Foundation
import StyleHarness

/// Core ML and, on systems that have it, Core AI: each opens the files of its own format.
public struct AppleEngine: Engine {
    /// File name extensions of the files that it may run.
    public static let suffixes = [CoreMLEngine.suffix, ".aimodel"]

    private let coreML: CoreMLEngine
    private let coreAI: (any Engine)?

    /// Return the extension of an artifact's files that are run: of both, those of Core ML.
    public static func suffix(for manifest: Manifest) -> String {
        suffixes.first { suffix in manifest.files.contains { $0.path.hasSuffix(suffix) } }
            ?? CoreMLEngine.suffix
    }

    /// Return an engine with the files of all cells built for the device.
    ///
    /// - Parameters:
    ///   - isTimed: see `CoreMLEngine.prepared`.
    ///   - progress: receives a line per file.
    public static func prepared(
        for cells: [JobCell], in artifact: Artifact, isTimed: Bool,
        progress: @Sendable (String) -> Void = { _ in }
    ) async -> AppleEngine {
        let coreML = await CoreMLEngine.prepared(
            for: cells, in: artifact, isTimed: isTimed, progress: progress
        )
        #if canImport(CoreAI)
        if #available(iOS 27.0, macOS 27.0, *) {
            let coreAI = await CoreAIEngine.prepared(for: cells, in: artifact, progress: progress)
            return AppleEngine(coreML: coreML, coreAI: coreAI)
        }
        #endif
        return AppleEngine(coreML: coreML, coreAI: nil)
    }

    public func open(_ file: URL, cell: JobCell) throws -> any Session {
        guard cell.subject.path.hasSuffix(".aimodel") else {
            return try coreML.open(file, cell: cell)
        }
        guard let coreAI else {
            throw EngineError.unavailable("\(cell.subject.path) needs iOS 27 or macOS 27")
        }
        return try coreAI.open(file, cell: cell)
    }
}
#endif
