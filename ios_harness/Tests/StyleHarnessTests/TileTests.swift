import XCTest

@testable import StyleHarness

/// Arithmetic of tiles, by the cases of `tiles.json`.
final class TileTests: XCTestCase {
    private struct Cases: Decodable {
        struct Grid: Decodable {
            let picture: [Int]
            let window: [Int]
            let grid: Int
            let expected: [Int]
        }
        struct Spans: Decodable {
            let length: Int
            let window: Int
            let first: Int
            let last: Int
            /// Nil where windows are all margin.
            let expected: [[Int]]?
            let error: String?
        }
        struct Tiles: Decodable {
            struct Place: Decodable {
                let top: Int
                let left: Int
                let region: [Int]
            }
            let sides: [Int]
            let window: [Int]
            let margins: [Int]
            let expected: [Place]
        }
        struct Maps: Decodable {
            struct Inner: Decodable {
                let sides: [Int]
                let rows: [[Int]]
                let columns: [[Int]]
                let places: [Int]
            }
            let sides: [Int]
            let window: [Int]
            let margins: [Int]
            let height: Int
            let width: Int
            let stride: Int
            let scale: Int
            let expected: Inner
        }
        struct Merged: Decodable {
            struct Whole: Decodable {
                let count: Int
                let values: [Double]
                let given: [Double]
            }
            let name: String
            let kind: StatisticKind
            let length: Int
            let correction: Int
            let height: Int
            let width: Int
            let counts: [Int]
            let values: [[Float]]
            let expected: Whole
        }
        struct Stored: Decodable {
            struct Map: Decodable {
                let name: String
                let channels: Int
                let height: Int
                let width: Int
                let stride: Int
                let scale: Int
            }
            let sides: [Int]
            let maps: [Map]
            let reads: [[String]]
            let gives: [[String]]
            let kept: [String]
            let expected: Int
        }
        struct Mirrored: Decodable {
            let length: Int
            let begin: Int
            let count: Int
            let expected: [Int]
        }

        let onGrid: [Grid]
        let spans: [Spans]
        let tiles: [Tiles]
        let maps: [Maps]
        let merged: [Merged]
        let storedBytes: [Stored]
        let mirrored: [Mirrored]
    }

    private func cases() throws -> Cases {
        try ContractFolder.decoded(Cases.self, from: "tiles.json")
    }

    func testSidesOnTheGrid() throws {
        for item in try cases().onGrid {
            let tiling = tiling(window: item.window, grid: item.grid)
            let grid = TileGrid(picture: size(item.picture), tiling: tiling)
            XCTAssertEqual([grid.size.height, grid.size.width], item.expected)
        }
    }

    func testSpansOfSides() throws {
        for item in try cases().spans {
            func spans() throws -> [[Int]] {
                try TileGrid.spans(
                    length: item.length, window: item.window, first: item.first, last: item.last
                ).map(flat)
            }
            if let expected = item.expected {
                XCTAssertEqual(try spans(), expected)
            } else {
                XCTAssertThrowsError(try spans()) { XCTAssertEqual("\($0)", item.error) }
            }
        }
    }

    func testRegionsInWindows() throws {
        for item in try cases().tiles {
            let tiles = try grid(item.sides, item.window).tiles(of: pass(item.margins))
            XCTAssertEqual(tiles.map(\.rows.start), item.expected.map(\.top))
            XCTAssertEqual(tiles.map(\.columns.start), item.expected.map(\.left))
            XCTAssertEqual(tiles.map(\.region), item.expected.map(\.region))
        }
    }

    func testTilesOfMaps() throws {
        for item in try cases().maps {
            let map = MapShape(
                height: item.height, width: item.width, stride: item.stride, scale: item.scale
            )
            let grid = grid(item.sides, item.window)
            let tiles = try grid.tiles(of: pass(item.margins))
            let inner = tiles.map { grid.inner($0, of: map) }
            XCTAssertEqual(grid.size(of: map), size(item.expected.sides))
            XCTAssertEqual(inner.map { flat($0.rows) }, item.expected.rows)
            XCTAssertEqual(inner.map { flat($0.columns) }, item.expected.columns)
            XCTAssertEqual(tiles.map { grid.places(in: $0, of: map) }, item.expected.places)
        }
    }

    func testStatisticsMerge() throws {
        for item in try cases().merged {
            let fact = StatisticFact(
                name: "statistic_0", kind: item.kind, length: item.length,
                correction: item.correction, height: item.height, width: item.width, stride: 1
            )
            var merged = MergedStatistic(fact)
            for (count, values) in zip(item.counts, item.values) {
                merged.add(places: count, values: values)
            }
            XCTAssertEqual(merged.count, item.expected.count)
            assertNear(merged.values, item.expected.values, item.name)
            assertNear(merged.given.values.map(Double.init), item.expected.given, item.name)
        }
    }

    func testBytesOfMaps() throws {
        for item in try cases().storedBytes {
            let maps = item.maps.map {
                MapFact(
                    name: $0.name, channels: $0.channels, height: $0.height, width: $0.width,
                    stride: $0.stride, scale: $0.scale
                )
            }
            let tiling = tiling(window: [128, 128], grid: 8, maps: maps)
            let bytes = TileGrid(picture: size(item.sides), tiling: tiling).storedBytes(
                reads: item.reads.map(Set.init), gives: item.gives.map(Set.init),
                kept: Set(item.kept)
            )
            XCTAssertEqual(bytes, item.expected)
        }
    }

    func testMirroredRanges() throws {
        for item in try cases().mirrored {
            let actual = MirroredAxis.indices(
                length: item.length, begin: item.begin, count: item.count
            )
            XCTAssertEqual(actual, item.expected)
        }
    }

    private func assertNear(_ actual: [Double], _ expected: [Double], _ name: String) {
        XCTAssertEqual(actual.count, expected.count, name)
        for (value, target) in zip(actual, expected) {
            XCTAssertEqual(value, target, accuracy: 1e-6 * abs(target), name)
        }
    }

    private func size(_ sides: [Int]) -> PictureSize {
        PictureSize(height: sides[0], width: sides[1])
    }

    private func flat(_ span: Span) -> [Int] { [span.start, span.begin, span.end] }

    private func pass(_ margins: [Int]) -> TilePassFact {
        TilePassFact(
            path: "pass", top: margins[0], bottom: margins[1], left: margins[2], right: margins[3]
        )
    }

    /// Return the grid of sides that lie on it.
    private func grid(_ sides: [Int], _ window: [Int]) -> TileGrid {
        TileGrid(picture: size(sides), tiling: tiling(window: window, grid: 1))
    }

    private func tiling(window: [Int], grid: Int, maps: [MapFact] = []) -> TilingFact {
        TilingFact(
            role: .transform, target: "coreml", precision: .fp32,
            window: SizeFact(height: window[0], width: window[1]), grid: grid, passes: [],
            maps: maps, statistics: [], tiledDb: 120, largestDifference: 0
        )
    }
}
