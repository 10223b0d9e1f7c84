#if canImport(CoreML)
import StyleHarness

/// All that is done for a file before it is loaded, or why it cannot be.
struct PreparedModel: Sendable {
    /// Which file with which units.
    struct Key: Hashable, Sendable {
        let path: String
        let units: ComputeUnits
    }

    let model: CompiledModel
    /// Share of the estimated cost by compute unit.
    let placement: [String: Double]
}
#endif
