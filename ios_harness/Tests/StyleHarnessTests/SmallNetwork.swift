import XCTest

@testable import StyleHarness

/// Engine of the small network of `tests/contract/tiled_network.py`.
struct SmallEngine: Engine {
    /// Changes what a pass returns.
    var change: @Sendable (inout Tensors) -> Void = { _ in }
    let opened = OpenedPaths()

    func open(_ file: URL, cell: JobCell) -> any Session {
        opened.append(cell.subject.path)
        return SmallPass(cell: cell, change: change)
    }
}

/// Paths of the files that an engine opened, in order.
final class OpenedPaths: @unchecked Sendable {
    private(set) var paths: [String] = []

    func append(_ path: String) { paths.append(path) }
}

private final class SmallPass: Session {
    let effective = ["engine": "small"]
    let compileNs: Int? = nil
    let placement: [String: Double] = [:]
    private let cell: JobCell
    private let change: @Sendable (inout Tensors) -> Void
    private var fed: Tensors = [:]

    init(cell: JobCell, change: @escaping @Sendable (inout Tensors) -> Void) {
        self.cell = cell
        self.change = change
    }

    func feed(_ inputs: Tensors) {
        XCTAssertEqual(Set(inputs.keys), Set(cell.inputs.map(\.name)))
        for fact in cell.inputs {
            XCTAssertEqual(inputs[fact.name]?.shape.map(Axis.length), fact.shape, fact.name)
        }
        fed = inputs
    }

    func invoke() {}
    func close() {}

    func fetch() throws -> Tensors {
        var outputs =
            switch cell.outputs.first?.name {
            case "map_0": try features()
            case "map_1": try normalized()
            default: try painted()
            }
        change(&outputs)
        return outputs
    }

    private func features() throws -> Tensors {
        let content = try tensor("content")
        let (height, width) = (content.shape[2] / 4, content.shape[3] / 4)
        let pooled = made(height, width) { channel, row, column in
            average(4) { content.at(channel, 4 * row + $0, 4 * column + $1) }
        }
        func inside(_ place: Int, _ length: Int) -> Int { min(max(place, 0), length - 1) }
        let map = made(height, width) { channel, row, column in
            average(3) {
                pooled.at(channel, inside(row + $0 - 1, height), inside(column + $1 - 1, width))
            }
        }
        let first = try means(map, 4) { $1 }
        let second = try means(map, 4) { ($1 - first[$0]) * ($1 - first[$0]) }
        return ["map_0": map, "statistic_0": Tensor(shape: [1, 6], values: first + second)]
    }

    private func normalized() throws -> Tensors {
        let (map, moments) = (try tensor("map_0"), try tensor("statistic_0").values)
        let (code, strength) = (try tensor("style_code").values, try tensor("strength").values[0])
        let mixed = made(map.shape[2], map.shape[3]) { channel, row, column in
            let value = map.at(channel, row, column)
            let unit = (value - moments[channel]) / (moments[3 + channel] + 1e-5).squareRoot()
            return value + strength * (unit * code[3 + channel] + code[channel] - value)
        }
        let enlarged = doubled(mixed)
        let mean = try means(enlarged, 2) { $1 }
        return ["map_1": enlarged, "statistic_1": Tensor(shape: [1, 3], values: mean)]
    }

    private func painted() throws -> Tensors {
        let (content, mean) = (try tensor("content"), try tensor("statistic_1").values)
        let enlarged = doubled(try tensor("map_1"))
        let image = made(content.shape[2], content.shape[3]) { channel, row, column in
            let map = enlarged.at(channel, row, column) - mean[channel] + 0.5
            return (content.at(channel, row, column) + map) / 2
        }
        return ["image": image]
    }

    private func tensor(_ name: String) throws -> Tensor { try XCTUnwrap(fed[name], name) }

    private func made(
        _ height: Int, _ width: Int, _ value: (Int, Int, Int) -> Float
    ) -> Tensor {
        let values = (0..<3 * height * width).map { index in
            value(index / (height * width), index / width % height, index % width)
        }
        return Tensor(shape: [1, 3, height, width], values: values)
    }

    private func average(_ count: Int, _ value: (Int, Int) -> Float) -> Float {
        var sum: Float = 0
        for row in 0..<count {
            for column in 0..<count { sum += value(row, column) }
        }
        return sum / Float(count * count)
    }

    private func doubled(_ map: Tensor) -> Tensor {
        made(2 * map.shape[2], 2 * map.shape[3]) { map.at($0, $1 / 2, $2 / 2) }
    }

    /// Return the means of a tile's part of a map, by channel.
    private func means(
        _ map: Tensor, _ stride: Int, _ value: (Int, Float) -> Float
    ) throws -> [Float] {
        let region = try tensor("region").values.map { Int($0) / stride }
        let count = (region[2] - region[0]) * (region[3] - region[1])
        return (0..<3).map { channel in
            var sum = 0.0
            for row in region[0]..<region[2] {
                for column in region[1]..<region[3] {
                    sum += Double(value(channel, map.at(channel, row, column)))
                }
            }
            return Float(sum / Double(count))
        }
    }
}

extension Tensor {
    fileprivate func at(_ channel: Int, _ row: Int, _ column: Int) -> Float {
        values[(channel * shape[2] + row) * shape[3] + column]
    }
}
