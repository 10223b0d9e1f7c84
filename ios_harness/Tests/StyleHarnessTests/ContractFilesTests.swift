import XCTest

@testable import StyleHarness

final class ContractFilesTests: XCTestCase {
    private struct Entry: Decodable {
        let file: String
        let sha256: String
    }

    func testEveryFileIsTheOneThatIsListed() throws {
        let entries = try ContractFolder.decoded([Entry].self, from: "index.json")
        XCTAssertGreaterThan(entries.count, 50)
        for entry in entries {
            let found = FileDigest.sha256(of: try ContractFolder.data(entry.file))
            XCTAssertEqual(found, entry.sha256, entry.file)
        }
    }

    func testNoFileIsUnlisted() throws {
        let entries = try ContractFolder.decoded([Entry].self, from: "index.json")
        let found = try FileDigest.files(in: ContractFolder.url).filter {
            !$0.hasSuffix(".md") && !$0.hasSuffix(".py") && !$0.hasSuffix(".pyc")
                && $0 != "index.json"
        }
        XCTAssertEqual(Set(found), Set(entries.map(\.file)))
    }
}
