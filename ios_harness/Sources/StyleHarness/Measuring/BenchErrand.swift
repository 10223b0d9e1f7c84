import Foundation

/// A job that the host has laid into the app's folder: where it lies and where its answer goes.
///
/// The report appears whole or not at all: it is written beside its place and renamed.
public struct BenchErrand: Sendable {
    public let job: JobFact
    public let artifact: Artifact
    private let jobFile: URL
    private let reports: URL

    /// Read a job and its artifact.
    ///
    /// - Parameters:
    ///   - job: path of the job below the root.
    ///   - artifact: path of the artifact below the root.
    ///   - root: the app's folder; paths that leave it are refused.
    ///   - reports: folder that the answer goes into.
    public init(job: String, artifact: String, root: URL, reports: URL) throws {
        jobFile = try Self.below(root, job)
        self.job = try JobFact(json: Data(contentsOf: jobFile))
        guard jobFile.deletingPathExtension().lastPathComponent == self.job.nonce else {
            throw ArtifactError("\(job) bears another nonce than its name")
        }
        self.artifact = try Artifact(folder: try Self.below(root, artifact))
        self.reports = reports
        try check()
    }

    /// Remove what earlier jobs have left, which the host cannot do.
    public func tidy() {
        let files = FileManager.default
        for folder in [reports, jobFile.deletingLastPathComponent()] {
            let names = (try? files.contentsOfDirectory(atPath: folder.path)) ?? []
            for name in names where !name.hasPrefix(job.nonce) {
                try? files.removeItem(at: folder.appending(path: name))
            }
        }
    }

    /// Write the report.
    public func answer(_ report: LatencyReport) throws {
        try Self.write(report.encoded(), to: reports.appending(path: "\(job.nonce).json"))
    }

    /// Say how far the work is, in the file that the host reads.
    public func tell(_ line: String) {
        let url = reports.appending(path: "\(job.nonce).progress")
        try? Self.write(Data("\(line)\n".utf8), to: url)
    }

    /// Say why a job could not be begun; its name is all that is sure.
    public static func refuse(job: String, reason: String, reports: URL) throws {
        let name = job.split(separator: "/").last ?? ""
        let nonce = String(name.hasSuffix(".json") ? name.dropLast(5) : name)
        guard JobNonce.isValid(nonce) else { return }
        let line = reason.split(whereSeparator: \.isNewline).joined(separator: " ")
        try write(Data("\(line)\n".utf8), to: reports.appending(path: "\(nonce).error"))
    }

    /// Refuse a job that asks for other files than those of the artifact.
    private func check() throws {
        try artifact.check(where: { path in
            job.cells.contains { $0.subject.path == path || $0.probe == path }
        })
        let known = artifact.manifest.knownPaths
        for (index, cell) in job.cells.enumerated() {
            guard known[cell.subject.path] == cell.subject.sha256, known[cell.probe] != nil else {
                throw ContractError(
                    path: "$.cells[\(index)].subject",
                    reason: "\(cell.subject.path) is not that file of the artifact"
                )
            }
        }
    }

    private static func below(_ root: URL, _ path: String) throws -> URL {
        let base = root.resolvingSymlinksInPath().standardizedFileURL.path
        let url = root.appending(path: path).resolvingSymlinksInPath().standardizedFileURL
        guard !path.hasPrefix("/"), url.path.hasPrefix(base + "/") else {
            throw ArtifactError("\(path) is outside the app's folder")
        }
        return url
    }

    private static func write(_ data: Data, to url: URL) throws {
        let files = FileManager.default
        try files.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true
        )
        let part = url.appendingPathExtension("tmp")
        try data.write(to: part)
        guard rename(part.path, url.path) == 0 else {
            throw ArtifactError("\(url.lastPathComponent) cannot be written")
        }
    }
}
