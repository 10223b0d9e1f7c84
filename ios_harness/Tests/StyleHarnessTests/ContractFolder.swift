import Foundation

@testable import StyleHarness

/// The fixtures that all languages read: `tests/contract` of the project.
enum ContractFolder {
    static let url = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "tests/contract")

    /// A whole artifact, exported by styleexport.
    static let artifact = url.appending(path: "artifacts/colour-transfer")

    static func data(_ path: String) throws -> Data {
        try Data(contentsOf: url.appending(path: path))
    }

    /// Return what an index or a list of cases says.
    static func decoded<Value: Decodable>(_ kind: Value.Type, from path: String) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(kind, from: data(path))
    }

    /// Return the document of a file, for comparison with what was read of it.
    static func document(_ path: String) throws -> JSONValue {
        try JSONParser.value(of: data(path))
    }
}
