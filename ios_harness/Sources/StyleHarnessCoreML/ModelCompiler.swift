#if canImport(CoreML)
import CoreML
import Dispatch
import Foundation
import StyleHarness

/// Compiler of packages, with a cache keyed by the sha256 of the package.
struct ModelCompiler: Sendable {
    private let folder: URL

    /// - Parameter folder: cache of compiled models.
    init(folder: URL = .cachesDirectory.appending(path: "models")) {
        self.folder = folder
    }

    /// Return the compiled model of a package.
    ///
    /// - Parameters:
    ///   - sha256: sha256 of the package in the manifest.
    ///   - isTimed: whether to compile and time it even if it is in the cache.
    func compiled(_ package: URL, sha256: String, isTimed: Bool) async throws -> CompiledModel {
        let files = FileManager.default
        let cached = folder.appending(path: "\(sha256).mlmodelc")
        if !isTimed && files.fileExists(atPath: cached.path) {
            return CompiledModel(url: cached, compileNs: nil)
        }
        let begin = DispatchTime.now().uptimeNanoseconds
        let compiled = try await MLModel.compileModel(at: package)
        let compileNs = Int(clamping: DispatchTime.now().uptimeNanoseconds - begin)
        try files.createDirectory(at: folder, withIntermediateDirectories: true)
        if files.fileExists(atPath: cached.path) {
            try files.removeItem(at: cached)
        }
        try files.moveItem(at: compiled, to: cached)
        return CompiledModel(url: cached, compileNs: compileNs)
    }
}

/// A package compiled by Core ML for this system.
struct CompiledModel: Sendable {
    /// Location of the .mlmodelc folder.
    let url: URL
    /// Duration of the compilation; nil if the model was in the cache.
    let compileNs: Int?
}
#endif
