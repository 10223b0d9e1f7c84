import XCTest

@testable import StyleHarness

/// Manifests, reports and jobs: valid ones are read, others are refused with the path of the fault.
final class DocumentTests: XCTestCase {
    private struct Case: Decodable {
        let file: String
        let valid: Bool
        let `where`: String?
    }

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
        let cases = try ContractFolder.decoded([Case].self, from: "\(folder)/index.json")
        XCTAssertTrue(cases.contains { $0.valid } && cases.contains { !$0.valid })
        for item in cases {
            let data = try ContractFolder.data("\(folder)/\(item.file)")
            if item.valid {
                XCTAssertNoThrow(try read(data), item.file)
            } else {
                assertFault(at: item.where ?? "", try read(data), item.file)
            }
        }
    }

    func testDocumentsAreWrittenWithEveryFieldThatWasRead() throws {
        let files: [(String, (Data) throws -> any ContractDocument)] = [
            ("reports/phone.json", LatencyReport.init(json:)),
            ("reports/desktop.json", LatencyReport.init(json:)),
            ("jobs/job.json", JobFact.init(json:)),
            ("manifests/adain-lite.json", Manifest.init(json:)),
        ]
        for (file, read) in files {
            let data = try ContractFolder.data(file)
            let written = try read(data).encoded()
            XCTAssertEqual(try read(written).encoded(), written, file)
            try assert(json(written), holds: json(data), at: file)
        }
    }

    /// Defaults may be added to an object, and nulls left out.
    private func assert(_ written: Any, holds original: Any, at path: String) throws {
        switch (written, original) {
        case (let fields as [String: Any], let expected as [String: Any]):
            for (key, value) in expected where !(value is NSNull) {
                let field = try XCTUnwrap(fields[key], "\(path).\(key)")
                try assert(field, holds: value, at: "\(path).\(key)")
            }
        case (let items as [Any], let expected as [Any]):
            XCTAssertEqual(items.count, expected.count, path)
            for (index, pair) in zip(items, expected).enumerated() {
                try assert(pair.0, holds: pair.1, at: "\(path)[\(index)]")
            }
        default:
            XCTAssertEqual(written as? NSObject, original as? NSObject, path)
        }
    }

    func testNumbersAreReadStrictly() throws {
        let report = try ContractFolder.text("reports/phone.json")
        let job = try ContractFolder.text("jobs/job.json")
        let faults: [(String, String, String, String)] = [
            (report, #""cores": 9"#, #""cores": 9.0"#, "$.machine.cores"),
            (report, #""cores": 9"#, #""cores": 9e0"#, "$.machine.cores"),
            (report, #""schema_version": 1"#, #""schema_version": 1.0"#, "$.schema_version"),
            (
                report, #""battery_percent": 81.0"#, #""battery_percent": 1e999"#,
                "$.before.battery_percent"
            ),
        ]
        for (text, good, bad, path) in faults {
            XCTAssertTrue(text.contains(good))
            let data = Data(text.replacingOccurrences(of: good, with: bad).utf8)
            assertFault(at: path, try LatencyReport(json: data), bad)
        }
        let shape = try XCTUnwrap(job.range(of: #""shape":\s*\[\s*1"#, options: .regularExpression))
        let changed = Data(job.replacingCharacters(in: shape, with: #""shape": [1.0"#).utf8)
        assertFault(at: "$.cells[0].inputs[0].shape[0]", try JobFact(json: changed), "shape")
        let whole = report.replacingOccurrences(of: #""value": 0.0"#, with: #""value": 0"#)
        XCTAssertEqual(try LatencyReport(json: Data(whole.utf8)).before.thermal?.value, 0)
    }

    func testNullIsRefusedWhereAFieldMayOnlyBeLeftOut() throws {
        let report = try ContractFolder.text("reports/phone.json")
        let null = report.replacingOccurrences(
            of: #""accelerators":\s*\[[^\]]*\]"#, with: #""accelerators": null"#,
            options: .regularExpression
        )
        XCTAssertNotEqual(null, report)
        assertFault(at: "$.machine.accelerators", try LatencyReport(json: Data(null.utf8)), "null")
    }

    func testRulesThatASchemaCannotExpress() throws {
        let job = try JobFact(json: ContractFolder.data("jobs/job.json"))
        var noOutputs = job
        noOutputs.cells[1].outputs = []
        assertFault(at: "$.cells[1]", try JobFact(json: noOutputs.encoded()), "no outputs")
        var negative = job
        negative.cells[0].inputs[0].shape[1] = .length(-3)
        let path = "$.cells[0].inputs[0].shape[1]"
        assertFault(at: path, try JobFact(json: negative.encoded()), "negative length")
        var reversed = job
        reversed.cells[0].inputs[0].pixelRange = PixelRange(lowest: 1, highest: 0)
        let range = "$.cells[0].inputs[0].pixel_range"
        assertFault(at: range, try JobFact(json: reversed.encoded()), "reversed range")
    }

    func testUnknownKeysOfAJobAreIgnored() throws {
        let job = try ContractFolder.text("jobs/job.json")
        let newer = job.replacingOccurrences(of: #""plan": {"#, with: #""plan": {"newer": 1, "#)
        XCTAssertNotEqual(newer, job)
        XCTAssertEqual(try JobFact(json: Data(newer.utf8)), try JobFact(json: Data(job.utf8)))
    }

    func testRepeatedKeysAreRefused() throws {
        let report = try ContractFolder.text("reports/phone.json")
        let twice = report.replacingOccurrences(
            of: #""cores": 9"#, with: #""cores": 9, "c\u006fres": 8"#
        )
        XCTAssertNotEqual(twice, report)
        assertFault(at: "$.machine", try LatencyReport(json: Data(twice.utf8)), "twice")
    }

    func testMalformedTextIsRefused() {
        let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
        for text in [
            "", "{", "[1,]", "{\"a\":}", "01", "1.", "-", "+1", "nul", "\"\\ud83d\"", "\"\\x\"",
            "\"a", "[1] 2", "\"\t\"", "{a: 1}", deep,
        ] {
            assertFault(at: "$", try Manifest(json: Data(text.utf8)), text)
        }
        assertFault(at: "$", try Manifest(json: Data([0x22, 0xFF, 0x22])), "not UTF-8")
        let utf16 = "{\"schema_version\": 4}".data(using: .utf16LittleEndian) ?? Data()
        assertFault(at: "$", try Manifest(json: utf16), "UTF-16")
        let marked = Data("\u{FEFF}{\"schema_version\": 4}".utf8)
        assertFault(at: "$", try Manifest(json: marked), "byte order mark")
    }

    func testTextIsWalkedToItsEnd() throws {
        let json = #" {"a\n": [1, -2.5e1, "\u00e9\"]", true, null, {}], "b" : {"c": [[], 1.5]}} "#
        let text = try JSONText(Data(json.utf8))
        XCTAssertEqual(text.fractions["$.a\n"], "$.a\n[1]")
        XCTAssertEqual(text.fractions["$.b"], "$.b.c[1]")
        XCTAssertEqual(text.fractions["$"], "$.a\n[1]")
        XCTAssertEqual(text.fractions.count, 6)
    }

    private func json(_ data: Data) throws -> Any {
        try JSONSerialization.jsonObject(with: data)
    }

    private func assertFault<Value>(
        at path: String, _ read: @autoclosure () throws -> Value, _ name: String
    ) {
        XCTAssertThrowsError(try read(), name) { error in
            XCTAssertEqual((error as? ContractError)?.path, path, "\(name): \(error)")
        }
    }
}
