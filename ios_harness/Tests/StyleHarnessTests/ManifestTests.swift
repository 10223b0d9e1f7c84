import XCTest

@testable import StyleHarness

final class ManifestTests: XCTestCase {
    private struct Case: Decodable {
        let file: String
        let valid: Bool
        let files: Int?
        let probes: Int?
        let styles: [String]?
        let network: String?
    }

    func testFactsAreThoseOfTheIndex() throws {
        let cases = try ContractFolder.decoded([Case].self, from: "manifests/index.json")
        for item in cases where item.valid {
            let manifest = try Manifest(json: ContractFolder.data("manifests/\(item.file)"))
            XCTAssertEqual(manifest.files.count, item.files)
            XCTAssertEqual(manifest.probes.count, item.probes)
            XCTAssertEqual(manifest.styles.flatMap(\.names), item.styles)
            XCTAssertEqual(manifest.network.name, item.network)
        }
    }

    func testDeepValuesAreThoseOfTheIndex() throws {
        guard case .array(let cases) = try ContractFolder.document("manifests/index.json") else {
            return XCTFail("the index is no list")
        }
        var count = 0
        for case .object(let fields) in cases {
            guard case .string(let file) = fields["file"],
                case .object(let expected) = fields["expect"]
            else { continue }
            let manifest = try Manifest(json: ContractFolder.data("manifests/\(file)"))
            for (path, value) in expected {
                let found = FieldPath.value(of: manifest, at: path)
                XCTAssertEqual(found, FieldPath.text(of: value), "\(file) \(path)")
                count += 1
            }
        }
        XCTAssertGreaterThan(count, 20)
    }

    func testAFileTakesTheSizesThatItLists() throws {
        let manifest = try Manifest(json: ContractFolder.data("manifests/adain-lite.json"))
        let file = manifest.files[1]
        XCTAssertTrue(file.takes(SizeFact(height: 64, width: 96)))
        XCTAssertFalse(file.takes(SizeFact(height: 96, width: 64)))
        XCTAssertEqual(file.deviceAllowedDb, 25)
    }

    func testPicturesOfEightBitsAreHeldToWhatTheyCanReach() throws {
        let manifest = try Manifest(json: ContractFolder.data("manifests/colour-transfer.json"))
        let held = manifest.files.map { ($0.path, $0.outputs[0].dtype, $0.deviceAllowedDb) }
        XCTAssertTrue(held.contains { $0.1 == .uint8 })
        for (path, dtype, allowed) in held {
            XCTAssertEqual(allowed, dtype == .uint8 ? 48 : 90, path)
        }
    }

    func testKeysThatComeTwiceAreRefused() {
        XCTAssertThrowsError(try JSONParser.value(of: Data(#"{"a": 1, "a": 2}"#.utf8)))
    }

    func testJSONIsReadStrictly() throws {
        let good = #" {"a": [1, -2.5e1, "\u00e9\ud83d\ude00\n", true, null]} "#
        let expected: [JSONValue] = [
            .integer(1), .number(-25), .string("é😀\n"), .bool(true), .null,
        ]
        XCTAssertEqual(
            try JSONParser.value(of: Data(good.utf8)), .object(["a": .array(expected)])
        )
        let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        for bad in [
            "", "{", "[1,]", "{\"a\":}", "01", "1.", "-", "+1", "nul", "\"\\ud83d\"", "\"\\x\"",
            "\"a", "[1] 2", "\"\t\"", "{a: 1}", "1e999", deep,
        ] {
            XCTAssertThrowsError(try JSONParser.value(of: Data(bad.utf8)), bad)
        }
        XCTAssertThrowsError(try JSONParser.value(of: Data([0x22, 0xFF, 0x22])))
    }
}
