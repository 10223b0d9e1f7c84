import Foundation

extension LatencyReport {
    /// The version of the schema that is read and written here.
    public static let currentVersion = 1

    /// Return the report that some bytes hold.
    ///
    /// - Throws: `ContractError` where they are no report, or one of another schema version.
    public init(json: Data) throws {
        let root = JSONNode(value: try JSONParser.value(of: json), path: "$")
        try root.checkVersion(Self.currentVersion, of: "report")
        try self.init(reading: root)
    }

    /// Return the report as JSON, ending in a newline.
    public func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }
}
