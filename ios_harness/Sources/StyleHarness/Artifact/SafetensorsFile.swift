import Foundation

/// Tensors from a .safetensors file: what probes and packs of styles are kept in.
///
/// The file is eight bytes of header length (little-endian), a JSON header, and the elements:
/// https://github.com/huggingface/safetensors#format.
public enum SafetensorsFile {
    private static let lengthBytes = 8
    private static let elementBytes = 4

    /// Return name → tensor of a whole file, all float32.
    ///
    /// - Throws: `SafetensorsError` where it is cut short, overlaps or holds other elements.
    public static func tensors(of data: Data) throws -> Tensors {
        let bytes = [UInt8](data)
        guard bytes.count >= lengthBytes else {
            throw SafetensorsError("\(bytes.count) bytes are none")
        }
        let length = bytes[..<lengthBytes].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(bytes.count - lengthBytes) else {
            throw SafetensorsError("is cut short: its header is longer than the file")
        }
        let begin = lengthBytes + Int(length)
        let entries = try entries(of: Data(bytes[lengthBytes..<begin]))
        try check(entries, hold: bytes.count - begin)
        var found: Tensors = [:]
        for entry in entries {
            found[entry.name] = Tensor(
                shape: entry.shape, values: floats(bytes[begin...], in: entry.range)
            )
        }
        return found
    }

    private static func entries(of header: Data) throws -> [SafetensorsEntry] {
        let fields: [String: JSONValue]
        do {
            guard case .object(let found) = try JSONParser.value(of: header) else {
                throw SafetensorsError("its header is no object")
            }
            fields = found
        } catch let error as ContractError {
            throw SafetensorsError("its header is damaged: \(error.reason)")
        }
        return try fields.filter { $0.key != "__metadata__" }.map { name, value in
            do {
                return try SafetensorsEntry(name: name, reading: JSONNode(value: value, path: "$"))
            } catch let error as ContractError {
                throw SafetensorsError(error.reason, at: name)
            }
        }
    }

    /// Elements lie one after the other and fill the file: no hole, no overlap, nothing after them.
    private static func check(_ entries: [SafetensorsEntry], hold count: Int) throws {
        var end = 0
        for entry in entries.sorted(by: SafetensorsEntry.liesBefore) {
            guard
                entry.elementCount.map({ $0 <= count && elementBytes * $0 == entry.range.count })
                    == true
            else {
                throw SafetensorsError(
                    "\(entry.range.count) bytes for \(entry.shape)", at: entry.name
                )
            }
            guard entry.range.lowerBound == end else {
                throw SafetensorsError("does not begin where the last one ends", at: entry.name)
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
