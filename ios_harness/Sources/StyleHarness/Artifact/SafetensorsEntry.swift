/// One tensor as the header of a .safetensors file describes it.
struct SafetensorsEntry {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case dtype
        case shape
        case offsets = "data_offsets"
    }

    let name: String
    let shape: [Int]
    /// Of its bytes, from the end of the header.
    let range: Range<Int>

    init(name: String, reading node: JSONNode) throws {
        let object = try node.object(CodingKeys.self)
        let dtype = try object.required(.dtype).text()
        guard dtype == "F32" else { throw node.error("is \(dtype), expected F32") }
        let offsets = try object.required(.offsets).items(in: 2...2).map {
            try $0.integer(in: 0...)
        }
        guard offsets[0] <= offsets[1] else { throw node.error("ends before it begins") }
        self.name = name
        shape = try object.required(.shape).items().map { try $0.integer(in: 0...) }
        range = offsets[0]..<offsets[1]
    }

    /// Whether one begins before the other, or ends before it.
    static func liesBefore(_ one: SafetensorsEntry, _ other: SafetensorsEntry) -> Bool {
        let (first, second) = (one.range, other.range)
        return (first.lowerBound, first.upperBound) < (second.lowerBound, second.upperBound)
    }

    /// Elements by the shape; nil where there are more than an integer holds.
    var elementCount: Int? {
        var product = 1
        for side in shape {
            let (next, overflow) = product.multipliedReportingOverflow(by: side)
            guard !overflow else { return nil }
            product = next
        }
        return product
    }
}
