import Foundation

extension JobFact {
    /// Return the job that some bytes hold.
    ///
    /// - Throws: `ContractError` where they are no job, or one of another schema version.
    public init(json: Data) throws {
        let root = JSONNode(value: try JSONParser.value(of: json), path: "$")
        try root.checkVersion(LatencyReport.currentVersion, of: "job")
        try self.init(reading: root)
        try checkPaths()
    }

    /// Refuse paths that lead out of the artifact.
    private func checkPaths() throws {
        for (index, cell) in cells.enumerated() {
            try ArtifactPath.check(cell.subject.path, at: "$.cells[\(index)].subject.path")
            try ArtifactPath.check(cell.probe, at: "$.cells[\(index)].probe")
        }
    }
}
