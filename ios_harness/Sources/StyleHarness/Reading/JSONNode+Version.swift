extension JSONNode {
    /// Refuse a document of another schema version before anything else of it is read.
    func checkVersion(_ expected: Int, of document: String) throws {
        guard case .object(let fields) = value, let found = fields["schema_version"] else { return }
        guard found == .integer(expected) else {
            var version = found.typeName
            if case .integer(let number) = found { version = "\(number)" }
            let reason = "has \(document) schema version \(version), expected \(expected)"
            throw ContractError(path: "\(path).schema_version", reason: reason)
        }
    }
}
