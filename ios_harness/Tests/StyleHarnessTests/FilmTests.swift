import XCTest

@testable import StyleHarness

/// Statistics over time, by the cases of `film.json`; and frames of the small network.
final class FilmTests: XCTestCase {
    private struct Film: Decodable {
        struct Case: Decodable {
            let name: String
            let stability: Double
            let kinds: [String: StatisticKind]
            let frames: [Frame]
        }
        struct Frame: Decodable {
            let seconds: Double
            let passes: [[String: [Double]]]
            let cut: Bool
            let smoothed: [[String: [Double]]]
        }
        let longest_s: Double
        let cut: Double
        let floor: Double
        let tolerance: Double
        let cases: [Case]
    }

    func testStatisticsAreSmoothed() throws {
        let film = try JSONDecoder().decode(Film.self, from: ContractFolder.data("film.json"))
        XCTAssertEqual(film.longest_s, SmoothedStatistics.longestSeconds)
        XCTAssertEqual(film.cut, SmoothedStatistics.cut)
        XCTAssertEqual(film.floor, SmoothedStatistics.floor)
        for item in film.cases {
            var smoothed = SmoothedStatistics(kinds: item.kinds, stability: item.stability)
            for (number, frame) in item.frames.enumerated() {
                smoothed.frame(at: frame.seconds)
                for (pass, expected) in zip(frame.passes, frame.smoothed) {
                    let actual = smoothed.settle(pass)
                    XCTAssertEqual(actual.keys.sorted(), expected.keys.sorted())
                    for (name, values) in expected {
                        for (value, target) in zip(actual[name] ?? [], values) {
                            XCTAssertEqual(
                                value, target, accuracy: film.tolerance * max(1, abs(target)),
                                "\(item.name) \(number)"
                            )
                        }
                    }
                }
                XCTAssertEqual(smoothed.isCut, frame.cut, "\(item.name) \(number)")
            }
        }
    }

    func testASceneIsSmoothedAndACutBeginsAnew() throws {
        let probe = try SafetensorsFile.tensors(
            of: ContractFolder.data("probes/colour-transfer_render_50x61.safetensors")
        )
        let window = try XCTUnwrap(probe["content"]).gathered(
            rows: Array(0..<24), columns: Array(0..<32)
        )
        let brighter = Tensor(shape: window.shape, values: window.values.map { $0 * 1.004 })
        let other = Tensor(shape: window.shape, values: window.values.reversed().map { $0 / 4 })
        let own = try frames(0).paint(brighter, inputs: probe, at: 0)
        let frames = try frames(1)
        _ = try frames.paint(window, inputs: probe, at: 0)
        let smoothed = try frames.paint(brighter, inputs: probe, at: 0.04)
        XCTAssertNotEqual(own, smoothed)
        XCTAssertLessThan(zip(own.values, smoothed.values).map { abs($0 - $1) }.max() ?? 1, 0.02)
        let cut = try frames.paint(other, inputs: probe, at: 0.08)
        XCTAssertEqual(cut, try self.frames(0).paint(other, inputs: probe, at: 0))
        XCTAssertEqual(frames.effective, ["engine": "small"])
    }

    private func frames(_ stability: Double) throws -> FramePainter {
        let manifest = try Manifest(json: ContractFolder.data("manifests/tiling.json"))
        let tiling = try XCTUnwrap(manifest.tilings.first { $0.target == "coreml" })
        return try FramePainter(
            tiling: tiling, files: manifest.files, stability: stability
        ) { file in
            let cell = JobCell(
                file, of: manifest, size: tiling.window, probe: "", settings: [:]
            )
            return SmallEngine().open(URL(filePath: "/"), cell: cell)
        }
    }
}
