import XCTest

@testable import StyleHarness

final class ManifestTests: XCTestCase {
    private struct Case: Decodable {
        enum CodingKeys: String, CodingKey {
            case file, valid, files, probes, styles, thumbnails, network, expect
            case codeLayout = "code_layout"
        }

        let file: String
        let valid: Bool
        let files: Int?
        let probes: Int?
        let styles: [String]?
        let thumbnails: [String: String]?
        let network: String?
        let codeLayout: CodeLayoutFact?
        let expect: [String: Expected]?
    }

    /// A number or a text.
    private struct Expected: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            text = try (try? container.decode(String.self)) ?? "\(container.decode(Double.self))"
        }
    }

    /// Keys under `expect` are paths: they must not be converted to camel case.
    private func validCases() throws -> [Case] {
        let data = try ContractFolder.data("manifests/index.json")
        return try JSONDecoder().decode([Case].self, from: data).filter(\.valid)
    }

    func testFactsMatchTheIndex() throws {
        for item in try validCases() {
            let manifest = try Manifest(json: ContractFolder.data("manifests/\(item.file)"))
            XCTAssertEqual(manifest.files.count, item.files)
            XCTAssertEqual(manifest.probes.count, item.probes)
            XCTAssertEqual(manifest.styles.flatMap(\.names), item.styles)
            XCTAssertEqual(manifest.thumbnails, item.thumbnails)
            XCTAssertEqual(manifest.network.name, item.network)
            XCTAssertEqual(manifest.network.codeLayout, item.codeLayout, item.file)
        }
    }

    func testWhatDoesNotBlendIsSaidWithItsReason() throws {
        let expected = [
            "code_parts": nil,
            "code_approximate": "Codes blend approximately: nobody declared it",
            "code_unblendable":
                "Codes cannot be blended: each patch takes the nearest patch of one style",
        ]
        for (name, note) in expected {
            let manifest = try Manifest(json: ContractFolder.data("manifests/\(name).json"))
            XCTAssertEqual(try XCTUnwrap(manifest.network.codeLayout).blendingNote, note)
        }
    }

    func testOfTwoPacksWithAStyleOfOneNameTheLastCounts() throws {
        let data = try ContractFolder.data("manifests/colour-transfer.json")
        var manifest = try Manifest(json: data)
        let pack = manifest.styles[0]
        var last = pack
        (last.names, last.thumbnails) = (["dusk"], [])
        manifest.styles = [pack, last]
        XCTAssertEqual(manifest.thumbnails.keys.sorted(), ["sea"])
        manifest.styles = [last, pack]
        XCTAssertEqual(manifest.thumbnails.keys.sorted(), ["dusk", "sea"])
    }

    func testNestedValuesMatchTheIndex() throws {
        var count = 0
        for item in try validCases() {
            let manifest = try Manifest(json: ContractFolder.data("manifests/\(item.file)"))
            for (path, expected) in item.expect ?? [:] {
                let actual = Self.text(at: path, of: manifest)
                XCTAssertEqual(actual, expected.text, "\(item.file) \(path)")
                count += 1
            }
        }
        XCTAssertGreaterThan(count, 20)
    }

    func testAFileAcceptsTheSizesThatItLists() throws {
        let manifest = try Manifest(json: ContractFolder.data("manifests/adain-lite.json"))
        let file = manifest.files[1]
        XCTAssertTrue(file.accepts(SizeFact(height: 64, width: 96)))
        XCTAssertFalse(file.accepts(SizeFact(height: 96, width: 64)))
        XCTAssertEqual(file.deviceAllowedDb, 25)
    }

    func testTheThresholdOfPixelOutputsIsCapped() throws {
        let manifest = try Manifest(json: ContractFolder.data("manifests/colour-transfer.json"))
        let facts = manifest.files.map { ($0.path, $0.outputs[0].dtype, $0.deviceAllowedDb) }
        XCTAssertTrue(facts.contains { $0.1 == .uint8 })
        for (path, dtype, allowed) in facts {
            XCTAssertEqual(allowed, dtype == .uint8 ? 48 : 90, path)
        }
    }

    /// Return the value at a JSON path of a decoded struct, found by reflection.
    private static func text(at path: String, of root: Any) -> String? {
        var value: Any? = root
        for step in path.dropFirst(2).split(whereSeparator: { ".[]".contains($0) }) {
            value = value.flatMap { child(camelCase(step), of: unwrapped($0)) }
        }
        return value.map { text(of: unwrapped($0)) }
    }

    private static func camelCase(_ key: Substring) -> String {
        let words = key.split(separator: "_")
        return words.dropFirst().reduce(String(words[0])) {
            $0 + $1.prefix(1).uppercased() + $1.dropFirst()
        }
    }

    private static func child(_ step: String, of value: Any) -> Any? {
        let children = Array(Mirror(reflecting: value).children)
        if let index = Int(step) {
            return children.indices.contains(index) ? children[index].value : nil
        }
        return children.first { $0.label == step }?.value
    }

    private static func text(of value: Any) -> String {
        switch value {
        case let number as Int: "\(Double(number))"
        case let choice as any RawRepresentable: "\(choice.rawValue)"
        default: "\(value)"
        }
    }

    private static func unwrapped(_ value: Any) -> Any {
        let mirror = Mirror(reflecting: value)
        guard mirror.displayStyle == .optional, let some = mirror.children.first else {
            return value
        }
        return some.value
    }
}
