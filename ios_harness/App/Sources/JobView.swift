import StyleHarness
import StyleHarnessCoreML
import SwiftUI

/// Progress of a job of the host.
struct JobView: View {
    let arguments: LaunchArguments
    @State private var progress = "Reading the job"

    var body: some View {
        VStack {
            ProgressView()
            Text(progress).font(.footnote).multilineTextAlignment(.center)
        }
        .padding()
        .task {
            UIApplication.shared.isIdleTimerDisabled = true
            progress = await JobRunner(arguments: arguments).run { line in
                Task { @MainActor in progress = line }
            }
            UIApplication.shared.isIdleTimerDisabled = false
        }
    }
}
