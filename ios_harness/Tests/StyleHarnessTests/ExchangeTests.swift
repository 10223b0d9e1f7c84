import XCTest

@testable import StyleHarness

/// Reports in the exchange folder: every language writes one and reads those of the others.
///
/// `STYLEEXPORT_CONTRACT_EXCHANGE` names the folder; it has a folder per language.
final class ExchangeTests: XCTestCase {
    func testAReportIsWrittenForTheOtherLanguages() throws {
        let report = try LatencyReport(json: ContractFolder.data("reports/phone.json"))
        let own = try folder().appending(path: "swift")
        try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
        try report.encoded().write(to: own.appending(path: "report.json"), options: .atomic)
    }

    func testReportsOfTheOtherLanguagesAreRead() throws {
        let expected = try LatencyReport(json: ContractFolder.data("reports/phone.json"))
        let folder = try folder()
        for language in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
            let url = folder.appending(path: "\(language)/report.json")
            guard FileManager.default.fileExists(atPath: url.path) else { continue }
            let report = try LatencyReport(json: Data(contentsOf: url))
            XCTAssertEqual(report.machine, expected.machine, language)
            XCTAssertEqual(report.cells, expected.cells, language)
        }
    }

    private func folder() throws -> URL {
        let path = ProcessInfo.processInfo.environment["STYLEEXPORT_CONTRACT_EXCHANGE"]
        guard let path else { throw XCTSkip("no STYLEEXPORT_CONTRACT_EXCHANGE") }
        return URL(filePath: path)
    }
}
