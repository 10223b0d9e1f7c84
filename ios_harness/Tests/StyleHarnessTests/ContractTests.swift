import XCTest

@testable import StyleHarness

final class ContractTests: XCTestCase {
    private struct Entry: Decodable {
        let file: String
        let sha256: String
    }

    func testEveryFileHasTheListedDigest() throws {
        let entries = try ContractFolder.decoded([Entry].self, from: "index.json")
        XCTAssertGreaterThan(entries.count, 50)
        for entry in entries {
            let actual = FileDigest.sha256(of: try ContractFolder.data(entry.file))
            XCTAssertEqual(actual, entry.sha256, entry.file)
        }
    }

    func testNoFileIsUnlisted() throws {
        let entries = try ContractFolder.decoded([Entry].self, from: "index.json")
        let files = try FileDigest.files(in: ContractFolder.url).filter {
            !$0.hasSuffix(".md") && !$0.hasSuffix(".py") && !$0.hasSuffix(".pyc")
                && $0 != "index.json"
        }
        XCTAssertEqual(Set(files), Set(entries.map(\.file)))
    }
}

/// The fixtures that all languages read: `tests/contract` of the project.
enum ContractFolder {
    static let url = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "tests/contract")

    /// An artifact exported by styleexport.
    static let artifact = url.appending(path: "artifacts/colour-transfer")

    static func data(_ path: String) throws -> Data {
        try Data(contentsOf: url.appending(path: path))
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: url.appending(path: path), encoding: .utf8)
    }

    /// Decode an index or a list of cases.
    static func decoded<Value: Decodable>(_ kind: Value.Type, from path: String) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(kind, from: data(path))
    }
}
