import Foundation

/// The fields of a JSON object, read by the rules of its schema.
///
/// Foundation's decoder ignores unknown keys, decodes `1.0` as an integer, and treats null like a
/// missing field. The schemas allow none of these.
struct ContractFields<Key: CodingKey & CaseIterable> {
    /// JSON path of the object.
    let path: String
    private let container: KeyedDecodingContainer<Key>
    private let text: JSONText?

    init(_ decoder: any Decoder, allowsOtherKeys: Bool = false) throws {
        container = try decoder.container(keyedBy: Key.self)
        path = decoder.codingPath.jsonPath
        text = decoder.userInfo[JSONText.key] as? JSONText
        guard !allowsOtherKeys else { return }
        let known = Set(Key.allCases.map(\.stringValue))
        let names = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        if let unknown = names.sorted().first(where: { !known.contains($0) }) {
            let reason = "Object contains unknown field `\(unknown.prefix(40))`"
            throw ContractError(path: path, reason: reason)
        }
    }

    /// Return a field that must be there.
    func required<Value: Decodable>(_ key: Key, _ rule: Rule<Value> = .any) throws -> Value {
        let place = "\(path).\(key.stringValue)"
        if rule.isIntegral, let fraction = text?.fractions[place] {
            throw ContractError(path: fraction, reason: "Expected `int`, got `float`")
        }
        do {
            let value = try container.decode(Value.self, forKey: key)
            try rule.check(value) { place }
            return value
        } catch let error where !(error is DecodingError || error is ContractError) {
            // Foundation reports a number out of range without its path.
            throw ContractError(path: place, reason: "a number is out of range")
        }
    }

    /// Return a field that may be left out.
    func optional<Value: Decodable>(
        _ key: Key, default value: Value, _ rule: Rule<Value> = .any
    ) throws -> Value {
        container.contains(key) ? try required(key, rule) : value
    }

    /// Return a field that must be there and may be null.
    func nullable<Value: Decodable>(_ key: Key, _ rule: Rule<Value> = .any) throws -> Value? {
        try container.decodeNil(forKey: key) ? nil : try required(key, rule)
    }

    /// Return a field that may be null or left out.
    func nullableOrMissing<Value: Decodable>(
        _ key: Key, _ rule: Rule<Value> = .any
    ) throws -> Value? {
        container.contains(key) ? try nullable(key, rule) : nil
    }
}

struct AnyKey: CodingKey {
    let stringValue: String
    let intValue: Int? = nil

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// Constraint of a schema on a value, beyond its type.
struct Rule<Value> {
    /// Whether every number in the value must be an integer.
    let isIntegral: Bool
    /// Throws `ContractError` at the JSON path of the fault.
    let check: (_ value: Value, _ path: () -> String) throws -> Void

    init(
        isIntegral: Bool = false,
        check: @escaping (Value, () -> String) throws -> Void = { _, _ in }
    ) {
        self.isIntegral = isIntegral
        self.check = check
    }

    static var any: Rule { Rule() }
}

extension Rule<Int> {
    static func integer(atLeast least: Int = .min, atMost most: Int = .max) -> Rule {
        Rule(isIntegral: true) { value, path in
            guard value >= least else { throw unexpected("`int` >= \(least)", path) }
            guard value <= most else { throw unexpected("`int` <= \(most)", path) }
        }
    }
}

extension Rule<Axis> {
    static var axis: Rule { Rule(isIntegral: true) }
}

extension Rule<Double> {
    static func number(
        atLeast least: Double = -.infinity, atMost most: Double = .infinity
    ) -> Rule {
        Rule { value, path in
            guard value >= least else { throw unexpected("`float` >= \(least)", path) }
            guard value <= most else { throw unexpected("`float` <= \(most)", path) }
        }
    }
}

extension Rule<String> {
    /// - Parameters:
    ///   - most: number of code points.
    ///   - pattern: regular expression that the whole text must match.
    ///   - isPath: whether the text is a path that must stay below the artifact.
    static func text(
        atMost most: Int = .max, pattern: String? = nil, isPath: Bool = false
    ) -> Rule {
        Rule { value, path in
            guard most == .max || value.unicodeScalars.count <= most else {
                throw unexpected("`str` of length <= \(most)", path)
            }
            guard pattern.map({ value.matches("^(?:\($0))\\z") }) ?? true else {
                throw unexpected("`str` matching regex '\(pattern ?? "")'", path)
            }
            guard !isPath || value.isBelowFolder else {
                throw ContractError(path: path(), reason: "names \(value), outside the artifact")
            }
        }
    }
}

extension Rule {
    static func items<Item>(
        atLeast least: Int = 0, atMost most: Int = .max, each rule: Rule<Item> = .any
    ) -> Rule where Value == [Item] {
        Rule(isIntegral: rule.isIntegral) { items, path in
            guard items.count >= least else {
                throw unexpected("`array` of length >= \(least)", path)
            }
            guard items.count <= most else {
                throw unexpected("`array` of length <= \(most)", path)
            }
            for (index, item) in items.enumerated() {
                try rule.check(item) { "\(path())[\(index)]" }
            }
        }
    }

    /// - Parameter keys: number of code points of a key.
    static func entries<Entry>(
        atMost most: Int = .max, keys: Int = .max, each rule: Rule<Entry> = .any
    ) -> Rule where Value == [String: Entry] {
        Rule(isIntegral: rule.isIntegral) { entries, path in
            guard entries.count <= most else {
                throw unexpected("`object` of length <= \(most)", path)
            }
            for (key, entry) in entries {
                guard key.unicodeScalars.count <= keys else {
                    throw unexpected("keys of length <= \(keys)", path)
                }
                try rule.check(entry) { "\(path()).\(key)" }
            }
        }
    }
}

private func unexpected(_ expected: String, _ path: () -> String) -> ContractError {
    ContractError(path: path(), reason: "Expected \(expected)")
}

extension String {
    fileprivate func matches(_ pattern: String) -> Bool {
        range(of: pattern, options: .regularExpression) != nil
    }

    /// Whether a relative path stays below the folder that it starts from.
    var isBelowFolder: Bool {
        !hasPrefix("/") && !split(separator: "/").contains("..")
    }
}
