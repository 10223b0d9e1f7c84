import StyleHarness
import StyleHarnessCoreML
import SwiftUI

/// Choose units and rounds, measure, see every sample, share the report.
struct MeasureView: View {
    @State private var model: MeasureModel

    init(artifact: Artifact, studio: Studio) {
        _model = State(initialValue: MeasureModel(artifact: artifact, studio: studio))
    }

    var body: some View {
        Form {
            Section("Compute units") {
                ForEach(ComputeUnits.allCases) { units in
                    Toggle(units.rawValue, isOn: $model[isChosen: units])
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
                Section("Every inference") { SampleChart(cells: report.cells) }
                Section("Files") { ForEach(report.cells, id: \.self, content: CellRow.init) }
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
            if let file = model.file { ShareLink("Share the report", item: file) }
        }
    }

    @ViewBuilder private var footer: some View {
        if let trouble = model.trouble {
            Text(trouble).foregroundStyle(.red)
        } else {
            Text("Leave the phone alone, out of its case, and not on a charger.")
        }
    }
}
