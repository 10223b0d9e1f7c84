import XCTest

@testable import StyleHarness

/// Jobs that the host copies into the app's folder.
final class BenchJobTests: XCTestCase {
    private var root = URL(filePath: "/")
    private var reports: URL { root.appending(path: "Documents/reports") }

    override func setUpWithError() throws {
        root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        let artifacts = root.appending(path: "Documents/artifacts")
        for folder in [artifacts, root.appending(path: "Documents/jobs")] {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(
            at: ContractFolder.artifact, to: artifacts.appending(path: "colour-transfer")
        )
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: root)
    }

    func testAReportIsWrittenAtomically() throws {
        let job = try copyJob()
        let benchJob = try benchJob(job)
        benchJob.writeProgress("half way")
        let progress = try String(contentsOf: file(job.nonce, "progress"), encoding: .utf8)
        XCTAssertEqual(progress, "half way\n")
        let report = try LatencyReport(json: ContractFolder.data("reports/phone.json"))
        try benchJob.write(report)
        let read = try LatencyReport(json: Data(contentsOf: file(job.nonce, "json")))
        XCTAssertEqual(read, report)
        let names = try FileManager.default.contentsOfDirectory(atPath: reports.path)
        XCTAssertEqual(names.sorted(), ["\(job.nonce).json", "\(job.nonce).progress"])
    }

    func testFilesOfEarlierJobsAreDeleted() throws {
        let earlier = try copyJob()
        try benchJob(earlier).writeProgress("half way")
        let job = try copyJob()
        let benchJob = try benchJob(job)
        benchJob.writeProgress("begun")
        benchJob.removeEarlierFiles()
        let names = try FileManager.default.contentsOfDirectory(atPath: reports.path)
        XCTAssertEqual(names, ["\(job.nonce).progress"])
        let jobs = try FileManager.default.contentsOfDirectory(
            atPath: root.appending(path: "Documents/jobs").path
        )
        XCTAssertEqual(jobs, ["\(job.nonce).json"])
    }

    func testPathsThatLeaveTheFolderAreRefused() throws {
        let job = try copyJob()
        for path in ["../jobs/x.json", "/etc/passwd", "Documents/../../x"] {
            XCTAssertThrowsError(
                try BenchJob(
                    job: path, artifact: "Documents/artifacts/colour-transfer", root: root,
                    reports: reports
                )
            )
            XCTAssertThrowsError(
                try BenchJob(
                    job: "Documents/jobs/\(job.nonce).json", artifact: path, root: root,
                    reports: reports
                )
            ) { error in
                XCTAssertTrue("\(error)".contains("outside the app's folder"), "\(error)")
            }
        }
    }

    func testAJobOfOtherFilesIsRefused() throws {
        let manifest = try Artifact(folder: ContractFolder.artifact).manifest
        let other = try Manifest(json: ContractFolder.data("manifests/one-filter.json"))
        let job = try copyJob(JobFact.local(for: other, suffix: ".onnx", version: "1"))
        XCTAssertNotEqual(other, manifest)
        XCTAssertThrowsError(try benchJob(job)) { error in
            XCTAssertEqual((error as? ContractError)?.path, "$.cells[0].subject")
        }
    }

    func testAJobUnderAnotherNameIsRefused() throws {
        let job = try copyJob(name: "another-nonce")
        XCTAssertThrowsError(
            try BenchJob(
                job: "Documents/jobs/another-nonce.json",
                artifact: "Documents/artifacts/colour-transfer", root: root, reports: reports
            )
        )
        XCTAssertNotEqual(job.nonce, "another-nonce")
    }

    func testAnErrorIsOneLine() throws {
        try BenchJob.writeError("no\nsuch file", job: "x/abcdefgh.json", reports: reports)
        let line = try String(contentsOf: file("abcdefgh", "error"), encoding: .utf8)
        XCTAssertEqual(line, "no such file\n")
        try BenchJob.writeError("no name", job: "x/..", reports: reports)
        let names = try FileManager.default.contentsOfDirectory(atPath: reports.path)
        XCTAssertEqual(names, ["abcdefgh.error"])
    }

    private func copyJob(_ given: JobFact? = nil, name: String? = nil) throws -> JobFact {
        let manifest = try Artifact(folder: ContractFolder.artifact).manifest
        let job = given ?? JobFact.local(for: manifest, suffix: ".mlpackage", version: "1")
        let data = try JSONEncoder().encode(job)
        try data.write(to: root.appending(path: "Documents/jobs/\(name ?? job.nonce).json"))
        return job
    }

    private func benchJob(_ job: JobFact) throws -> BenchJob {
        try BenchJob(
            job: "Documents/jobs/\(job.nonce).json",
            artifact: "Documents/artifacts/colour-transfer", root: root, reports: reports
        )
    }

    private func file(_ nonce: String, _ suffix: String) -> URL {
        reports.appending(path: "\(nonce).\(suffix)")
    }
}
