extension JobFact {
    /// Return a job of the app itself: every file for its engine but passes over tiles, once per
    /// probe that it accepts.
    ///
    /// - Parameters:
    ///   - suffix: file name extension of the engine, such as `.mlpackage`.
    ///   - settings: engine settings for all files.
    public static func local(
        for manifest: Manifest, suffix: String, version: String, settings: [String: String] = [:],
        plan: PlanFact = PlanFact()
    ) -> JobFact {
        let files = manifest.files.filter { $0.path.hasSuffix(suffix) && !$0.isPass }
        let cells = files.flatMap { file in
            manifest.probes.filter { $0.role == file.role && file.accepts($0.size) }.map { probe in
                JobCell(
                    file, of: manifest, size: probe.size, probe: probe.path, settings: settings
                )
            }
        }
        return JobFact(
            version: version, commit: nil, nonce: JobNonce.random(), command: "the app",
            plan: plan, cells: cells
        )
    }
}

extension JobCell {
    /// Runner name of this device in reports.
    private static let deviceRunner = "ios"

    /// One file of an artifact, with the settings of an engine.
    init(
        _ file: FileFact, of manifest: Manifest, size: SizeFact, probe: String,
        settings: [String: String]
    ) {
        self.init(
            subject: SubjectFact(file, of: manifest), runner: Self.deviceRunner,
            requested: settings, size: size, probe: probe, inputs: file.inputs,
            outputs: file.outputs, allowedDb: file.deviceAllowedDb
        )
    }

    /// Runner name in the report; the host may leave it to the device.
    public var reportedRunner: String { runner.isEmpty ? Self.deviceRunner : runner }
}

extension SubjectFact {
    /// An exported file as reports describe it.
    init(_ file: FileFact, of manifest: Manifest) {
        self.init(
            network: manifest.network.name,
            sourceSha256: manifest.network.sourceSha256,
            path: file.path,
            sha256: file.sha256,
            target: file.target,
            precision: file.precision,
            role: file.role,
            sizeBytes: file.sizeBytes,
            parameters: file.parameters,
            macs: file.macs,
            int8MacShare: file.int8MacShare,
            qualityDb: file.quality?.psnrDb,
            styleChange: file.quality?.styleChange
        )
    }
}

extension CellFact {
    /// All samples in nanoseconds, in the order of measurement.
    public var samplesNs: [Int] { roundsNs.flatMap { $0 } }
}
