import Foundation

/// Reader of .safetensors files, the format of probes and style packs.
///
/// A file is eight bytes of header length (little-endian), a JSON header, and the elements:
/// https://github.com/huggingface/safetensors#format.
public enum SafetensorsFile {
    private static let lengthBytes = 8
    private static let elementBytes = 4

    /// Return the tensors of a file by name; all must be float32.
    ///
    /// - Throws: `SafetensorsError` if the file is truncated, tensors overlap, or a dtype differs.
    public static func tensors(of data: Data) throws -> Tensors {
        let bytes = [UInt8](data)
        guard bytes.count >= lengthBytes else {
            throw SafetensorsError("has \(bytes.count) bytes, expected at least \(lengthBytes)")
        }
        let length = bytes[..<lengthBytes].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(bytes.count - lengthBytes) else {
            throw SafetensorsError("is truncated: its header is longer than the file")
        }
        let begin = lengthBytes + Int(length)
        let entries = try entries(of: Data(bytes[lengthBytes..<begin]))
        try check(entries, fill: bytes.count - begin)
        return entries.mapValues { entry in
            Tensor(shape: entry.shape, values: floats(bytes[begin...], in: entry.range))
        }
    }

    private static func entries(of json: Data) throws -> [String: Entry] {
        do {
            return try strictlyDecoded(json) { try $0.decode(Header.self, from: json) }.entries
        } catch let error as ContractError {
            throw SafetensorsError("its header is damaged: \(error.reason)")
        }
    }

    /// Check that elements follow one another and fill the file, without gap or overlap.
    private static func check(_ entries: [String: Entry], fill count: Int) throws {
        var end = 0
        let bounds = { (entry: Entry) in (entry.range.lowerBound, entry.range.upperBound) }
        for (name, entry) in entries.sorted(by: { bounds($0.value) < bounds($1.value) }) {
            guard let elements = entry.elementCount, elements <= count,
                elementBytes * elements == entry.range.count
            else {
                throw SafetensorsError("\(entry.range.count) bytes for \(entry.shape)", at: name)
            }
            guard entry.range.lowerBound == end else {
                throw SafetensorsError("does not begin where the last one ends", at: name)
            }
            end = entry.range.upperBound
        }
        guard end == count else {
            throw SafetensorsError("\(count) bytes of elements, expected \(end)")
        }
    }

    private static func floats(_ bytes: ArraySlice<UInt8>, in range: Range<Int>) -> [Float] {
        stride(from: range.lowerBound, to: range.upperBound, by: elementBytes).map { offset in
            let begin = bytes.startIndex + offset
            let bits = bytes[begin..<begin + elementBytes].reversed()
                .reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return Float(bitPattern: bits)
        }
    }
}

/// The JSON header: tensors by name, and free text under `__metadata__`.
private struct Header: Decodable {
    let entries: [String: Entry]

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: AnyKey.self)
        var entries: [String: Entry] = [:]
        for key in container.allKeys where key.stringValue != "__metadata__" {
            do {
                entries[key.stringValue] = try container.decode(Entry.self, forKey: key)
            } catch let error as DecodingError {
                throw SafetensorsError(ContractError(error).reason, at: key.stringValue)
            } catch let error as ContractError {
                throw SafetensorsError(error.reason, at: key.stringValue)
            }
        }
        self.entries = entries
    }
}

/// One tensor as the header describes it.
private struct Entry: Decodable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case dtype
        case shape
        case offsets = "data_offsets"
    }

    let shape: [Int]
    /// Byte range of the elements, counted from the end of the header.
    let range: Range<Int>

    init(from decoder: any Decoder) throws {
        let fields = try ContractFields<CodingKeys>(decoder)
        let dtype: String = try fields.required(.dtype)
        guard dtype == "F32" else {
            throw ContractError(path: fields.path, reason: "is \(dtype), expected F32")
        }
        shape = try fields.required(.shape, .items(each: .integer(atLeast: 0)))
        let offsets: [Int] = try fields.required(
            .offsets, .items(atLeast: 2, atMost: 2, each: .integer(atLeast: 0))
        )
        guard offsets[0] <= offsets[1] else {
            throw ContractError(path: fields.path, reason: "ends before it begins")
        }
        range = offsets[0]..<offsets[1]
    }

    /// Number of elements by the shape; nil if it exceeds an integer.
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

/// A .safetensors file that cannot be read, and the tensor at fault.
public struct SafetensorsError: LocalizedError, Hashable, CustomStringConvertible {
    /// Name of the tensor; `$` is the whole file.
    public let place: String
    public let reason: String

    init(_ reason: String, at place: String = "$") {
        self.place = place
        self.reason = reason
    }

    public var description: String {
        place == "$" ? "safetensors file: \(reason)" : "tensor \(place): \(reason)"
    }

    public var errorDescription: String? { description }
}
