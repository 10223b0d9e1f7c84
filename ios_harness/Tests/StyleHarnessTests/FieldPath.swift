@testable import StyleHarness

/// Looks a JSON path up in a decoded struct, so that what was decoded is compared and not the text.
enum FieldPath {
    static func value(of root: Any, at path: String) -> String? {
        var value: Any? = root
        for step in steps(of: path) {
            value = value.flatMap { child(of: unwrapped($0), step) }
        }
        return value.map { text(of: unwrapped($0)) }
    }

    static func text(of value: JSONValue) -> String {
        switch value {
        case .integer(let number): text(of: Double(number))
        case .number(let number): text(of: number)
        case .string(let text): text
        default: "\(value)"
        }
    }

    private static func text(of value: Any) -> String {
        switch value {
        case let number as Int: "\(Double(number))"
        case let number as Double: "\(number)"
        case let choice as any RawRepresentable: "\(choice.rawValue)"
        default: "\(value)"
        }
    }

    /// `$.files[0].size_bytes` is files, 0, sizeBytes.
    private static func steps(of path: String) -> [String] {
        path.dropFirst(2).split(whereSeparator: { ".[]".contains($0) }).map { step in
            let words = step.split(separator: "_")
            return words.dropFirst().reduce(String(words[0])) {
                $0 + $1.prefix(1).uppercased() + $1.dropFirst()
            }
        }
    }

    private static func child(of value: Any, _ step: String) -> Any? {
        let children = Array(Mirror(reflecting: value).children)
        if let index = Int(step) {
            return children.indices.contains(index) ? children[index].value : nil
        }
        return children.first { $0.label == step }?.value
    }

    private static func unwrapped(_ value: Any) -> Any {
        let mirror = Mirror(reflecting: value)
        guard mirror.displayStyle == .optional, let some = mirror.children.first else {
            return value
        }
        return some.value
    }
}
