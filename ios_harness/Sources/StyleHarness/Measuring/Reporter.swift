import Foundation

/// Makes the report of a job: what the device is, how it was before and after, and every cell.
public struct Reporter {
    private let measurement: Measurement
    private let machine: MachineFact
    private let state: @Sendable () -> StateFact

    /// - Parameters:
    ///   - state: tells how hot and how charged the device is now.
    public init(
        measurement: Measurement, machine: MachineFact, state: @escaping @Sendable () -> StateFact
    ) {
        self.measurement = measurement
        self.machine = machine
        self.state = state
    }

    /// Return the report of a job on an artifact.
    public func report(of job: JobFact, in artifact: Artifact) -> LatencyReport {
        let created = Self.timestamp(Date())
        let before = state()
        let cells = measurement.cells(of: job, in: artifact)
        return LatencyReport(
            schemaVersion: LatencyReport.currentVersion,
            harness: HarnessFact(name: .ios, version: job.version, commit: job.commit),
            created: created,
            nonce: job.nonce,
            command: job.command,
            machine: machine,
            before: before,
            after: state(),
            protocol: measurement.fact(of: job.plan),
            cells: cells
        )
    }

    /// Return a time as reports have it: UTC, ISO 8601.
    static func timestamp(_ date: Date) -> String {
        date.formatted(.iso8601)
    }
}
