import Foundation
import StyleHarness
import StyleHarnessCoreML

/// Does what the host asked for by launch arguments: measures a job, and writes its report.
struct ErrandRunner: Sendable {
    let order: LaunchOrder

    /// Run the job; return how it ended, in a line.
    func run(say: @escaping @Sendable (String) -> Void) async -> String {
        let errand: BenchErrand
        do {
            errand = try BenchErrand(
                job: order.job, artifact: order.artifact, root: AppFolders.root,
                reports: AppFolders.reports
            )
        } catch {
            return refused(error)
        }
        errand.tidy()
        let host = DeviceHost { line in
            errand.tell(line)
            say(line)
        }
        let report = await Studio().measure(errand.job, in: errand.artifact, host: host)
        do {
            try errand.answer(report)
            return "done"
        } catch {
            return refused(error)
        }
    }

    private func refused(_ error: any Error) -> String {
        let reason = "\(error)"
        try? BenchErrand.refuse(job: order.job, reason: reason, reports: AppFolders.reports)
        return reason
    }
}
