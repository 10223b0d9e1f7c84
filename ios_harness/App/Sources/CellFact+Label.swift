import StyleHarness
import StyleHarnessCoreML

extension CellFact {
    /// A short name for the screen.
    var label: String {
        let units = requested[ComputeUnits.setting] ?? ComputeUnits.all.rawValue
        return "\(subject.role.rawValue) \(size.height)×\(size.width) "
            + "\(subject.precision.rawValue), \(units)"
    }
}
