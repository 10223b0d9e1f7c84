import StyleHarness
import SwiftUI

/// One cell of a report: what it is, and how it came out.
struct CellRow: View {
    let cell: CellFact

    var body: some View {
        VStack(alignment: .leading) {
            Text(cell.label)
            Text(outcome).font(.footnote).foregroundStyle(.secondary)
        }
    }

    private var outcome: String {
        guard cell.status == .measured else { return "\(cell.status.rawValue): \(cell.message)" }
        let parity = cell.parity.map { "\($0.measuredDb) dB on the probe" } ?? ""
        return "\(cell.samplesNs.count) samples, \(parity)"
    }
}
