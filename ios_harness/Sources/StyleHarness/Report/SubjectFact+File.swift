extension SubjectFact {
    /// An exported file as a report names it.
    public init(_ file: FileFact, of manifest: Manifest) {
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
