extension JobFact {
    /// Return a job of the app's own: every file that it runs, once for each probe it takes.
    ///
    /// - Parameters:
    ///   - suffix: of the files that the device runs, such as `.mlpackage`.
    ///   - settings: of the engine, for all files.
    public static func own(
        of manifest: Manifest, suffix: String, version: String, settings: [String: String] = [:],
        plan: PlanFact = PlanFact()
    ) -> JobFact {
        let cells = manifest.files.filter { $0.path.hasSuffix(suffix) }.flatMap { file in
            manifest.probes.filter { $0.role == file.role && file.takes($0.size) }.map { probe in
                CellWish(
                    subject: SubjectFact(file, of: manifest),
                    runner: "ios",
                    requested: settings,
                    size: probe.size,
                    probe: probe.path,
                    inputs: file.inputs,
                    outputs: file.outputs,
                    allowedDb: file.deviceAllowedDb
                )
            }
        }
        return JobFact(
            schemaVersion: LatencyReport.currentVersion,
            version: version,
            commit: nil,
            nonce: JobNonce.random(),
            command: "the app",
            plan: plan,
            cells: cells
        )
    }
}
