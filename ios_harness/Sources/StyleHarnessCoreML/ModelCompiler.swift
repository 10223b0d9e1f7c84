#if canImport(CoreML)
import CoreML
import Dispatch
import Foundation
import StyleHarness

/// Compiles packages, and keeps what it compiled under the sha256 of the package.
struct ModelCompiler: Sendable {
    private let folder: URL

    /// - Parameter folder: that compiled models are kept in.
    init(folder: URL = .cachesDirectory.appending(path: "models")) {
        self.folder = folder
    }

    /// Return a package compiled.
    ///
    /// - Parameters:
    ///   - sha256: of the package, as the manifest has it.
    ///   - again: whether to compile, and to time it, even where it was done before.
    func compiled(_ package: URL, sha256: String, again: Bool) async throws -> CompiledModel {
        let files = FileManager.default
        let kept = folder.appending(path: "\(sha256).mlmodelc")
        if !again && files.fileExists(atPath: kept.path) {
            return CompiledModel(url: kept, compileNs: nil)
        }
        let begin = DispatchTime.now().uptimeNanoseconds
        let made = try await MLModel.compileModel(at: package)
        let compileNs = Int(clamping: DispatchTime.now().uptimeNanoseconds - begin)
        try files.createDirectory(at: folder, withIntermediateDirectories: true)
        if files.fileExists(atPath: kept.path) {
            try files.removeItem(at: kept)
        }
        try files.moveItem(at: made, to: kept)
        return CompiledModel(url: kept, compileNs: compileNs)
    }
}
#endif
