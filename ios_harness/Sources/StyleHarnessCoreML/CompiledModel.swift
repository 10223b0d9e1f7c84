#if canImport(CoreML)
import Foundation

/// A package that Core ML has compiled for this system.
struct CompiledModel: Sendable {
    /// The .mlmodelc folder.
    let url: URL
    /// What compiling took; nil where it was done before.
    let compileNs: Int?
}
#endif
