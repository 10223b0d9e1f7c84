import Foundation
import Observation
import StyleHarness
import StyleHarnessCoreML

/// Model of the Measure screen: its settings, the measurement and its report.
@MainActor
@Observable
final class MeasureModel {
    let artifact: Artifact
    private(set) var report: LatencyReport?
    private(set) var file: URL?
    private(set) var progress = ""
    private(set) var errorMessage: String?
    private(set) var isRunning = false

    var rounds = 5
    var selectedUnits: Set<ComputeUnits> = [.all, .cpu]

    private let service: InferenceService
    private let cancellation = CancellationFlag()

    init(artifact: Artifact, service: InferenceService) {
        self.artifact = artifact
        self.service = service
    }

    /// Whether files are measured on some compute units.
    subscript(isSelected units: ComputeUnits) -> Bool {
        get { selectedUnits.contains(units) }
        set {
            if newValue {
                selectedUnits.insert(units)
            } else {
                selectedUnits.remove(units)
            }
        }
    }

    /// Measure every file on the selected compute units.
    func run() async {
        guard !isRunning else { return }
        isRunning = true
        cancellation.isCancelled = false
        defer { isRunning = false }
        let cancellation = self.cancellation
        let host = DeviceHost(
            progress: { line in Task { @MainActor [weak self] in self?.progress = line } },
            isCancelled: { cancellation.isCancelled }
        )
        do {
            let job = try job()
            let report = await service.measure(job, in: artifact, host: host)
            self.report = report
            file = try Self.save(report)
            (progress, errorMessage) = ("Done", nil)
        } catch {
            errorMessage = error.localizedDescription
        }
    }

    /// Stop after the current inference.
    func cancel() {
        cancellation.isCancelled = true
    }

    private func job() throws -> JobFact {
        let plan = PlanFact(rounds: rounds)
        let suffix = AppleEngine.suffix(for: artifact.manifest)
        let jobs = ComputeUnits.allCases.filter(selectedUnits.contains).map { units in
            JobFact.local(
                for: artifact.manifest, suffix: suffix, version: AppVersion.name,
                settings: [ComputeUnits.setting: units.rawValue], plan: plan
            )
        }
        guard let first = jobs.first, !first.cells.isEmpty else {
            throw EngineError.failed(
                "Select compute units; the artifact must have \(suffix) files."
            )
        }
        return JobFact(
            version: first.version, commit: nil, nonce: first.nonce, command: first.command,
            plan: plan, cells: jobs.flatMap(\.cells)
        )
    }

    private static func save(_ report: LatencyReport) throws -> URL {
        let name = report.created.replacing(":", with: "")
        let url = AppFolders.measured.appending(path: "styleexport-\(name).json")
        try FileManager.default.createDirectory(
            at: AppFolders.measured, withIntermediateDirectories: true
        )
        try report.encoded().write(to: url, options: .atomic)
        return url
    }
}

/// Whether the user has stopped a measurement, shared with the thread that runs it.
final class CancellationFlag: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false

    var isCancelled: Bool {
        get { lock.withLock { value } }
        set { lock.withLock { value = newValue } }
    }
}
