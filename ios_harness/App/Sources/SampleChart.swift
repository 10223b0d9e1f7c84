import Charts
import StyleHarness
import SwiftUI

/// Dot plot of the samples of all measured cells; long series are thinned, the report is complete.
struct SampleChart: View {
    private struct Dot: Identifiable {
        let id: Int
        let label: String
        let milliseconds: Double
    }

    private static let maxDotsPerCell = 300

    let cells: [CellFact]

    var body: some View {
        Chart(dots) { dot in
            PointMark(
                x: .value("Inference", dot.milliseconds), y: .value("File", dot.label)
            )
            .symbolSize(12)
            .opacity(0.5)
        }
        .chartXAxisLabel("Milliseconds")
        .chartXScale(domain: .automatic(includesZero: true))
        .frame(height: 60 + 60 * Double(labels.count))
    }

    private var labels: Set<String> {
        Set(cells.filter { $0.status == .measured }.map(\.label))
    }

    private var dots: [Dot] {
        let all = cells.filter { $0.status == .measured }.flatMap { cell in
            thinned(cell.samplesNs).map { (cell.label, Double($0) / 1e6) }
        }
        return all.enumerated().map { Dot(id: $0, label: $1.0, milliseconds: $1.1) }
    }

    private func thinned(_ samples: [Int]) -> [Int] {
        let step = max(1, samples.count / Self.maxDotsPerCell)
        return stride(from: 0, to: samples.count, by: step).map { samples[$0] }
    }
}
