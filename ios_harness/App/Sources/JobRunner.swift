import Foundation
import StyleHarness
import StyleHarnessCoreML

/// Job and artifact that the host passes as launch arguments.
///
/// `--bench-job Documents/jobs/<nonce>.json --artifact Documents/artifacts/<name>`; both paths are
/// relative to the app's container.
struct LaunchArguments: Hashable, Sendable {
    let job: String
    let artifact: String

    /// Parse the arguments of the process; nil if the app was not launched for a job.
    init?(_ arguments: [String]) {
        func value(of option: String) -> String? {
            guard let index = arguments.firstIndex(of: option), index + 1 < arguments.count else {
                return nil
            }
            return arguments[index + 1]
        }
        guard let job = value(of: "--bench-job"), let artifact = value(of: "--artifact") else {
            return nil
        }
        self.job = job
        self.artifact = artifact
    }
}

/// Measures a job of the host and writes its report.
struct JobRunner: Sendable {
    let arguments: LaunchArguments

    /// Run the job; return its outcome as a line for the screen.
    func run(progress: @escaping @Sendable (String) -> Void) async -> String {
        do {
            let job = try BenchJob(
                job: arguments.job, artifact: arguments.artifact, root: AppFolders.root,
                reports: AppFolders.reports
            )
            job.removeEarlierFiles()
            let host = DeviceHost { line in
                job.writeProgress(line)
                progress(line)
            }
            let report = await InferenceService().measure(job.job, in: job.artifact, host: host)
            try job.write(report)
            return "Done"
        } catch {
            let reason = "\(error)"
            try? BenchJob.writeError(reason, job: arguments.job, reports: AppFolders.reports)
            return reason
        }
    }
}
