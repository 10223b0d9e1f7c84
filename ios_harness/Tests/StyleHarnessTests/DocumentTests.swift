import XCTest

@testable import StyleHarness

/// Manifests, reports and jobs: good ones are read, bad ones refused at the place at fault.
final class DocumentTests: XCTestCase {
    func testManifests() throws {
        try check("manifests") { _ = try Manifest(json: $0) }
    }

    func testReports() throws {
        try check("reports") { _ = try LatencyReport(json: $0) }
    }

    func testJobs() throws {
        try check("jobs") { _ = try JobFact(json: $0) }
    }

    private func check(_ folder: String, _ read: (Data) throws -> Void) throws {
        let cases = try ContractFolder.decoded([DocumentCase].self, from: "\(folder)/index.json")
        XCTAssertTrue(cases.contains { $0.valid } && cases.contains { !$0.valid })
        for item in cases {
            let data = try ContractFolder.data("\(folder)/\(item.file)")
            if item.valid {
                XCTAssertNoThrow(try read(data), item.file)
            } else {
                XCTAssertThrowsError(try read(data), item.file) { error in
                    XCTAssertEqual((error as? ContractError)?.path, item.where, item.file)
                }
            }
        }
    }

    func testAReportComesOutAsItWentIn() throws {
        for file in ["reports/phone.json", "reports/desktop.json"] {
            let report = try LatencyReport(json: ContractFolder.data(file))
            XCTAssertEqual(try LatencyReport(json: report.encoded()), report, file)
            let written = try JSONParser.value(of: report.encoded())
            try assert(written, holds: ContractFolder.document(file), at: "$")
        }
    }

    /// What is left out has its default, so more may be written than was read, and nothing less.
    private func assert(_ written: JSONValue, holds read: JSONValue, at path: String) throws {
        switch (written, read) {
        case (.object(let fields), .object(let wanted)):
            for (key, value) in wanted where value != .null {
                let field = try XCTUnwrap(fields[key], "\(path).\(key)")
                try assert(field, holds: value, at: "\(path).\(key)")
            }
        case (.array(let items), .array(let wanted)):
            XCTAssertEqual(items.count, wanted.count, path)
            for (index, pair) in zip(items, wanted).enumerated() {
                try assert(pair.0, holds: pair.1, at: "\(path)[\(index)]")
            }
        case (.integer(let number), .number(let wanted)),
            (.number(let wanted), .integer(let number)):
            XCTAssertEqual(Double(number), wanted, path)
        default:
            XCTAssertEqual(written, read, path)
        }
    }
}
