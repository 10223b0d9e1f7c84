import XCTest

@testable import StyleHarness

/// Jobs that the host lays into the app's folder.
final class BenchErrandTests: XCTestCase {
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

    func testAReportAppearsWhole() throws {
        let job = try lay()
        let errand = try errand(job)
        errand.tell("half way")
        let told = try String(contentsOf: file(job.nonce, "progress"), encoding: .utf8)
        XCTAssertEqual(told, "half way\n")
        let report = try LatencyReport(json: ContractFolder.data("reports/phone.json"))
        try errand.answer(report)
        let read = try LatencyReport(json: Data(contentsOf: file(job.nonce, "json")))
        XCTAssertEqual(read, report)
        let names = try FileManager.default.contentsOfDirectory(atPath: reports.path)
        XCTAssertEqual(names.sorted(), ["\(job.nonce).json", "\(job.nonce).progress"])
    }

    func testWhatEarlierJobsHaveLeftIsRemoved() throws {
        let earlier = try lay()
        try errand(earlier).tell("half way")
        let job = try lay()
        let errand = try errand(job)
        errand.tell("begun")
        errand.tidy()
        let names = try FileManager.default.contentsOfDirectory(atPath: reports.path)
        XCTAssertEqual(names, ["\(job.nonce).progress"])
        let jobs = try FileManager.default.contentsOfDirectory(
            atPath: root.appending(path: "Documents/jobs").path
        )
        XCTAssertEqual(jobs, ["\(job.nonce).json"])
    }

    func testPathsThatLeaveTheFolderAreRefused() throws {
        let job = try lay()
        for path in ["../jobs/x.json", "/etc/passwd", "Documents/../../x"] {
            XCTAssertThrowsError(
                try BenchErrand(
                    job: path, artifact: "Documents/artifacts/colour-transfer", root: root,
                    reports: reports
                )
            )
            XCTAssertThrowsError(
                try BenchErrand(
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
        let job = try lay(JobFact.own(of: other, suffix: ".onnx", version: "1"))
        XCTAssertNotEqual(other, manifest)
        XCTAssertThrowsError(try errand(job)) { error in
            XCTAssertEqual((error as? ContractError)?.path, "$.cells[0].subject")
        }
    }

    func testAJobUnderAnotherNameIsRefused() throws {
        let job = try lay(name: "another-nonce")
        XCTAssertThrowsError(
            try BenchErrand(
                job: "Documents/jobs/another-nonce.json",
                artifact: "Documents/artifacts/colour-transfer", root: root, reports: reports
            )
        )
        XCTAssertNotEqual(job.nonce, "another-nonce")
    }

    func testARefusalIsOneLine() throws {
        try BenchErrand.refuse(job: "x/abcdefgh.json", reason: "no\nsuch file", reports: reports)
        let line = try String(contentsOf: file("abcdefgh", "error"), encoding: .utf8)
        XCTAssertEqual(line, "no such file\n")
        try BenchErrand.refuse(job: "x/..", reason: "no name", reports: reports)
        let names = try FileManager.default.contentsOfDirectory(atPath: reports.path)
        XCTAssertEqual(names, ["abcdefgh.error"])
    }

    private func lay(_ given: JobFact? = nil, name: String? = nil) throws -> JobFact {
        let manifest = try Artifact(folder: ContractFolder.artifact).manifest
        let job = given ?? JobFact.own(of: manifest, suffix: ".mlpackage", version: "1")
        let data = try JSONEncoder().encode(job)
        try data.write(to: root.appending(path: "Documents/jobs/\(name ?? job.nonce).json"))
        return job
    }

    private func errand(_ job: JobFact) throws -> BenchErrand {
        try BenchErrand(
            job: "Documents/jobs/\(job.nonce).json",
            artifact: "Documents/artifacts/colour-transfer", root: root, reports: reports
        )
    }

    private func file(_ nonce: String, _ suffix: String) -> URL {
        reports.appending(path: "\(nonce).\(suffix)")
    }
}
