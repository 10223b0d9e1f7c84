import XCTest

@testable import StyleHarness

final class ProbeTests: XCTestCase {
    private struct Case: Decodable {
        struct Sample: Decodable {
            let index: Int
            let value: Float
        }
        struct Content: Decodable {
            let name: String
            let shape: [Int]
            let values: [Sample]
        }
        let file: String
        let valid: Bool
        let `where`: String?
        let tensors: [Content]?
    }

    func testProbes() throws {
        let cases = try ContractFolder.decoded([Case].self, from: "probes/index.json")
        XCTAssertTrue(cases.contains { $0.valid } && cases.contains { !$0.valid })
        for item in cases {
            let data = try ContractFolder.data("probes/\(item.file)")
            guard item.valid else {
                XCTAssertThrowsError(try SafetensorsFile.tensors(of: data), item.file) { error in
                    XCTAssertEqual((error as? SafetensorsError)?.place, item.where, item.file)
                }
                continue
            }
            let tensors = try SafetensorsFile.tensors(of: data)
            XCTAssertEqual(tensors.keys.sorted(), item.tensors?.map(\.name).sorted(), item.file)
            for content in item.tensors ?? [] {
                let tensor = try XCTUnwrap(tensors[content.name])
                XCTAssertEqual(tensor.shape, content.shape)
                for sample in content.values {
                    XCTAssertEqual(tensor.values[sample.index], sample.value, "\(content.name)")
                }
            }
        }
    }
}
