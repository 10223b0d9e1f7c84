import StyleHarness
import StyleHarnessCoreML
import SwiftUI

/// A benchmark for the host, while it runs.
struct ErrandView: View {
    let order: LaunchOrder
    @State private var progress = "reading the job"

    var body: some View {
        VStack {
            ProgressView()
            Text(progress).font(.footnote).multilineTextAlignment(.center)
        }
        .padding()
        .task {
            UIApplication.shared.isIdleTimerDisabled = true
            progress = await ErrandRunner(order: order).run { line in
                Task { @MainActor in progress = line }
            }
            UIApplication.shared.isIdleTimerDisabled = false
        }
    }
}
