import Foundation

/// A job that the host has copied into the app's folder, and the files that answer it.
///
/// Answers are written atomically: the host never reads a part of one.
public struct BenchJob: Sendable {
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
    ///   - reports: folder for the answer.
    /// - Throws: `ArtifactError` or `ContractError` if the job cannot be run.
    public init(job: String, artifact: String, root: URL, reports: URL) throws {
        jobFile = try Self.url(of: job, below: root)
        self.job = try JobFact(json: Data(contentsOf: jobFile))
        guard jobFile.deletingPathExtension().lastPathComponent == self.job.nonce else {
            throw ArtifactError("the nonce in \(job) is not its file name")
        }
        self.artifact = try Artifact(folder: try Self.url(of: artifact, below: root))
        self.reports = reports
        try check()
    }

    /// Delete the files of earlier jobs, which the host has no means to do.
    public func removeEarlierFiles() {
        let files = FileManager.default
        for folder in [reports, jobFile.deletingLastPathComponent()] {
            let names = (try? files.contentsOfDirectory(atPath: folder.path)) ?? []
            for name in names where !name.hasPrefix(job.nonce) {
                try? files.removeItem(at: folder.appending(path: name))
            }
        }
    }

    /// Write the report.
    public func write(_ report: LatencyReport) throws {
        let url = reports.appending(path: "\(job.nonce).json")
        try AtomicFile.write(report.encoded(), to: url)
    }

    /// Write a line of progress, which the host polls.
    public func writeProgress(_ line: String) {
        let url = reports.appending(path: "\(job.nonce).progress")
        try? AtomicFile.write(Data("\(line)\n".utf8), to: url)
    }

    /// Write why a job could not be run; its content may be unreadable, so its name is used.
    public static func writeError(_ reason: String, job: String, reports: URL) throws {
        let name = job.split(separator: "/").last ?? ""
        let nonce = String(name.hasSuffix(".json") ? name.dropLast(5) : name)
        guard JobNonce.isValid(nonce) else { return }
        let line = reason.split(whereSeparator: \.isNewline).joined(separator: " ")
        try AtomicFile.write(
            Data("\(line)\n".utf8), to: reports.appending(path: "\(nonce).error")
        )
    }

    /// Check that the files of the job are those of the artifact, and unaltered.
    private func check() throws {
        try artifact.check(where: { path in
            job.cells.contains { $0.subject.path == path || $0.probe == path }
        })
        let digests = artifact.manifest.digests
        for (index, cell) in job.cells.enumerated() {
            guard digests[cell.subject.path] == cell.subject.sha256, digests[cell.probe] != nil
            else {
                throw ContractError(
                    path: "$.cells[\(index)].subject",
                    reason: "\(cell.subject.path) is not that file of the artifact"
                )
            }
        }
    }

    private static func url(of path: String, below root: URL) throws -> URL {
        let base = root.resolvingSymlinksInPath().standardizedFileURL.path
        let url = root.appending(path: path).resolvingSymlinksInPath().standardizedFileURL
        guard !path.hasPrefix("/"), url.path.hasPrefix(base + "/") else {
            throw ArtifactError("\(path) is outside the app's folder")
        }
        return url
    }
}

/// The nonce of a job: its report carries it, and its files are named after it.
public enum JobNonce {
    /// Whether a nonce is 8 to 64 letters, digits, `_` and `-`.
    public static func isValid(_ nonce: String) -> Bool {
        let allowed: (Character) -> Bool = { "_-".contains($0) || $0.isLetter || $0.isNumber }
        return (8...64).contains(nonce.utf8.count)
            && nonce.allSatisfy { $0.isASCII && allowed($0) }
    }

    /// Return a new nonce, for jobs that the app creates itself.
    public static func random() -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789")
        return String((0..<20).map { _ in alphabet.randomElement() ?? "0" })
    }
}

/// Files that another process sees complete or not at all.
enum AtomicFile {
    /// Write a file under a temporary name beside its place, and rename it.
    static func write(_ data: Data, to url: URL) throws {
        let folder = url.deletingLastPathComponent()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let partial = url.appendingPathExtension("tmp")
        try data.write(to: partial)
        guard rename(partial.path, url.path) == 0 else {
            throw ArtifactError("\(url.lastPathComponent) cannot be written")
        }
    }
}
