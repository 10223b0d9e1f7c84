import StyleHarness
import StyleHarnessCoreML
import SwiftUI

/// The Measure screen: compute units, rounds, and the samples of the report.
struct MeasureView: View {
    @State private var model: MeasureModel

    init(artifact: Artifact, service: InferenceService) {
        _model = State(initialValue: MeasureModel(artifact: artifact, service: service))
    }

    var body: some View {
        Form {
            Section("Compute units") {
                ForEach(ComputeUnits.allCases) { units in
                    Toggle(units.rawValue, isOn: $model[isSelected: units])
                }
                Stepper("\(model.rounds) rounds", value: $model.rounds, in: 1...20)
            }
            .disabled(model.isRunning)
            Section {
                action
            } footer: {
                footer
            }
            if let report = model.report {
                Section("Latency of each inference") { SampleChart(cells: report.cells) }
                Section("Results") { ForEach(report.cells, id: \.self, content: CellRow.init) }
            }
        }
        .onChange(of: model.isRunning) { _, isRunning in
            UIApplication.shared.isIdleTimerDisabled = isRunning
        }
    }

    @ViewBuilder private var action: some View {
        if model.isRunning {
            ProgressView(model.progress)
            Button("Stop", role: .cancel) { model.cancel() }
        } else {
            Button("Measure") { Task { await model.run() } }
            if let file = model.file { ShareLink("Share Report", item: file) }
        }
    }

    @ViewBuilder private var footer: some View {
        if let errorMessage = model.errorMessage {
            Text(errorMessage).foregroundStyle(.red)
        } else {
            Text("For stable results take the phone out of its case, unplug it, and do not use it.")
        }
    }
}

/// One cell of a report: its name and result.
struct CellRow: View {
    let cell: CellFact

    var body: some View {
        VStack(alignment: .leading) {
            Text(cell.label)
            Text(result).font(.footnote).foregroundStyle(.secondary)
        }
    }

    private var result: String {
        guard cell.status == .measured else { return "\(cell.status.rawValue): \(cell.message)" }
        let parity = cell.parity.map { "\($0.measuredDb) dB on the probe" } ?? ""
        return "\(cell.samplesNs.count) samples, \(parity)"
    }
}

extension CellFact {
    /// Short name for the screen.
    var label: String {
        let units = requested[ComputeUnits.setting] ?? ComputeUnits.all.rawValue
        return "\(subject.role.rawValue) \(size.height)×\(size.width) "
            + "\(subject.precision.rawValue), \(units)"
    }
}
