/// The fields of a JSON object by the keys of its schema.
struct JSONObject<Key: CodingKey & CaseIterable> {
    let fields: [String: JSONValue]
    let node: JSONNode

    /// Return a field that must be there.
    func required(_ key: Key) throws -> JSONNode {
        guard let field = optional(key) else {
            throw node.error("Object missing required field `\(key.stringValue)`")
        }
        return field
    }

    /// Return a field; nil where it is left out.
    func optional(_ key: Key) -> JSONNode? {
        fields[key.stringValue].map {
            JSONNode(value: $0, path: "\(node.path).\(key.stringValue)")
        }
    }
}
