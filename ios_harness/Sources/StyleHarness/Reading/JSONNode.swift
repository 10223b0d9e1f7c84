/// A JSON value and where in its document it stands; every way to read it checks what it finds.
struct JSONNode {
    let value: JSONValue
    let path: String

    /// Return the error of this place.
    func error(_ reason: String) -> ContractError {
        ContractError(path: path, reason: reason)
    }

    private func mismatch(_ expected: String) -> ContractError {
        error("Expected `\(expected)`, got `\(value.typeName)`")
    }

    /// The node itself; nil where it is null.
    var nullable: JSONNode? {
        value == .null ? nil : self
    }

    /// Return the fields of an object, which may have no others than these keys.
    func object<Key: CodingKey & CaseIterable>(_ keys: Key.Type) throws -> JSONObject<Key> {
        guard case .object(let fields) = value else { throw mismatch("object") }
        let known = Set(keys.allCases.map(\.stringValue))
        if let unknown = fields.keys.sorted().first(where: { !known.contains($0) }) {
            throw error("Object contains unknown field `\(unknown.prefix(40))`")
        }
        return JSONObject(fields: fields, node: self)
    }

    /// Return the items of an array.
    func items(in lengths: some RangeExpression<Int> = 0...) throws -> [JSONNode] {
        guard case .array(let values) = value else { throw mismatch("array") }
        guard lengths.contains(values.count) else {
            throw error("Expected `array` of another length than \(values.count)")
        }
        return values.enumerated().map { JSONNode(value: $1, path: "\(path)[\($0)]") }
    }

    /// Return name → value of an object whose names are data.
    func table<Value>(
        atMost count: Int = .max,
        names length: Int = .max,
        _ read: (JSONNode) throws -> Value
    ) throws -> [String: Value] {
        guard case .object(let fields) = value else { throw mismatch("object") }
        guard fields.count <= count else { throw error("Expected `object` of length <= \(count)") }
        guard fields.keys.allSatisfy({ $0.unicodeScalars.count <= length }) else {
            throw error("Expected names of length <= \(length)")
        }
        var found: [String: Value] = [:]
        for (name, field) in fields {
            found[name] = try read(JSONNode(value: field, path: "\(path)[...]"))
        }
        return found
    }

    /// Return a table of texts, each a few words.
    func facts() throws -> [String: String] {
        try table(atMost: JSONLimits.facts, names: JSONLimits.text) {
            try $0.text(atMost: JSONLimits.text)
        }
    }

    /// Return samples in nanoseconds.
    func samples() throws -> [Int] {
        try items(in: JSONLimits.samples).map { try $0.integer(in: JSONLimits.nanoseconds) }
    }

    /// Return an integer; `1.0` is none.
    func integer(in range: some RangeExpression<Int> = Int.min...) throws -> Int {
        guard case .integer(let number) = value else { throw mismatch("int") }
        guard range.contains(number) else { throw error("Expected `int` in \(range)") }
        return number
    }

    /// Return a number.
    func number(atLeast least: Double = -.infinity) throws -> Double {
        let found: Double
        switch value {
        case .integer(let number): found = Double(number)
        case .number(let number): found = number
        default: throw mismatch("float")
        }
        guard found >= least else { throw error("Expected `float` >= \(least)") }
        return found
    }

    /// Return true or false.
    func flag() throws -> Bool {
        guard case .bool(let flag) = value else { throw mismatch("bool") }
        return flag
    }

    /// Return a text.
    func text(atMost length: Int = .max, matching pattern: TextPattern? = nil) throws -> String {
        guard case .string(let text) = value else { throw mismatch("str") }
        guard length == .max || text.unicodeScalars.count <= length else {
            throw error("Expected `str` of length <= \(length)")
        }
        guard pattern?.matches(text) ?? true else {
            throw error("Expected `str` that is \(pattern?.rawValue ?? "")")
        }
        return text
    }

    /// Return one of the texts that an enumeration knows.
    func choice<Choice: RawRepresentable<String>>() throws -> Choice {
        guard case .string(let text) = value else { throw mismatch("str") }
        guard let choice = Choice(rawValue: text) else {
            throw error("Invalid enum value '\(text.prefix(40))'")
        }
        return choice
    }
}
