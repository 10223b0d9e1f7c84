import Foundation
import Observation
import StyleHarness
import StyleHarnessCoreML

/// What the measure screen shows, and what was chosen on it.
@MainActor
@Observable
final class MeasureModel {
    let artifact: Artifact
    private(set) var report: LatencyReport?
    private(set) var file: URL?
    private(set) var progress = ""
    private(set) var trouble: String?
    private(set) var isRunning = false

    var rounds = 5
    var chosen: Set<ComputeUnits> = [.all, .cpu]

    private let studio: Studio
    private let stop = StopFlag()

    init(artifact: Artifact, studio: Studio) {
        self.artifact = artifact
        self.studio = studio
    }

    /// Whether files are measured with some units.
    subscript(isChosen units: ComputeUnits) -> Bool {
        get { chosen.contains(units) }
        set {
            if newValue {
                chosen.insert(units)
            } else {
                chosen.remove(units)
            }
        }
    }

    /// Measure every file with the chosen units.
    func run() async {
        guard !isRunning else { return }
        isRunning = true
        stop.isRaised = false
        defer { isRunning = false }
        let stop = self.stop
        let host = DeviceHost(
            say: { line in Task { @MainActor [weak self] in self?.progress = line } },
            isCancelled: { stop.isRaised }
        )
        do {
            let job = try job()
            let found = await studio.measure(job, in: artifact, host: host)
            report = found
            file = try Self.store(found)
            (progress, trouble) = ("done", nil)
        } catch {
            trouble = error.localizedDescription
        }
    }

    /// End after the run that is under way.
    func cancel() {
        stop.isRaised = true
    }

    private func job() throws -> JobFact {
        let plan = PlanFact(rounds: rounds)
        let jobs = ComputeUnits.allCases.filter(chosen.contains).map { units in
            JobFact.own(
                of: artifact.manifest, suffix: CoreMLEngine.suffix, version: AppVersion.name,
                settings: [ComputeUnits.setting: units.rawValue], plan: plan
            )
        }
        guard let first = jobs.first, !first.cells.isEmpty else {
            throw EngineError.failed(
                "choose compute units; the artifact must hold \(CoreMLEngine.suffix) files"
            )
        }
        return JobFact(
            schemaVersion: first.schemaVersion, version: first.version, commit: nil,
            nonce: first.nonce, command: first.command, plan: plan, cells: jobs.flatMap(\.cells)
        )
    }

    private static func store(_ report: LatencyReport) throws -> URL {
        let name = report.created.replacing(":", with: "")
        let url = AppFolders.measured.appending(path: "styleexport-\(name).json")
        try FileManager.default.createDirectory(
            at: AppFolders.measured, withIntermediateDirectories: true
        )
        try report.encoded().write(to: url, options: .atomic)
        return url
    }
}
