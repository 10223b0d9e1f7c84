import XCTest

@testable import StyleHarness

/// Iterates of `optimization.json`, which torch computed.
final class LBFGSTests: XCTestCase {
    private struct Problem: Decodable {
        let name: String
        let curvature: [Double]
        let centre: [Double]
        let quartic: [Double]
        let root: [Double]
        let coupling: Double
        let offset: Double
        let start: [Float]
        let history: Int
        let learningRate: Double
        let divergence: Double
        let patience: Int
        let tolerance: Double
        let losses: [Double]
        let iterates: [[Double]]
        let best: Int
        let diverges: Bool

        var rules: OptimizationFact {
            OptimizationFact(
                algorithm: .lbfgs, history: history, learningRate: learningRate,
                firstChange: 1, iterations: losses.count, divergence: divergence,
                patience: patience
            )
        }

        /// Return the loss and its gradient.
        func evaluate(_ x: [Float]) -> (loss: Double, gradient: [Float]) {
            var loss = offset
            var gradient = [Double](repeating: 0, count: x.count)
            for index in x.indices {
                let u = Double(x[index]) - centre[index]
                let length = (1 + u * u).squareRoot()
                loss += curvature[index] / 2 * u * u + quartic[index] / 4 * u * u * u * u
                loss += root[index] * length
                gradient[index] += curvature[index] * u + quartic[index] * u * u * u
                gradient[index] += root[index] * u / length
            }
            for index in 1..<x.count {
                let step = Double(x[index]) - Double(x[index - 1])
                loss += coupling / 2 * step * step
                gradient[index] += coupling * step
                gradient[index - 1] -= coupling * step
            }
            return (loss, gradient.map(Float.init))
        }
    }

    private let rules = OptimizationFact(
        algorithm: .lbfgs, history: 10, learningRate: 1, firstChange: 1, iterations: 20,
        divergence: 100, patience: 2
    )

    func testTheIteratesAreThoseOfTorch() throws {
        let problems = try ContractFolder.decoded([Problem].self, from: "optimization.json")
        XCTAssertEqual(problems.map(\.diverges), [false, false, false, false, true])
        for problem in problems {
            var lbfgs = LBFGS(start: problem.start, rules: problem.rules)
            var outcome = LBFGS.Outcome.moved
            for (number, expected) in problem.iterates.enumerated() {
                XCTAssertNotEqual(outcome, .diverged, problem.name)
                let name = "\(problem.name) \(number)"
                assertNear(lbfgs.iterate, expected, problem.tolerance, name)
                let (loss, gradient) = problem.evaluate(lbfgs.iterate)
                assertNear([Float(loss)], [problem.losses[number]], problem.tolerance, name)
                outcome = lbfgs.advance(loss: loss, gradient: gradient)
            }
            XCTAssertEqual(outcome == .diverged, problem.diverges, problem.name)
            let best = problem.losses[problem.best]
            assertNear([Float(lbfgs.bestLoss)], [best], problem.tolerance, problem.name)
            XCTAssertEqual(Double(problem.evaluate(lbfgs.best).loss), lbfgs.bestLoss)
        }
    }

    func testWhatIsNotFiniteEndsItWithTheBestKept() {
        let cases = [(Double.nan, Float(1)), (.infinity, 1), (0.5, .nan), (0.5, .infinity)]
        for (loss, slope) in cases {
            var lbfgs = LBFGS(start: [3, 4], rules: rules)
            XCTAssertEqual(lbfgs.advance(loss: 2, gradient: [1, 1]), .moved)
            XCTAssertEqual(lbfgs.advance(loss: loss, gradient: [1, slope]), .diverged)
            XCTAssertEqual(lbfgs.best, [3, 4])
            XCTAssertEqual(lbfgs.bestLoss, 2)
        }
    }

    func testLossesFarAboveTheBestEndIt() {
        var lbfgs = LBFGS(start: [3, 4], rules: rules)
        for (loss, slope) in [(2, 1), (201, 2), (200, 3), (1e9, 4)] as [(Double, Float)] {
            XCTAssertEqual(lbfgs.advance(loss: loss, gradient: [1, slope]), .moved)
        }
        XCTAssertEqual(lbfgs.advance(loss: 200.1, gradient: [1, 5]), .diverged)
        XCTAssertEqual(lbfgs.bestLoss, 2)
    }

    func testAGradientOfZeroIsAnEnd() {
        var lbfgs = LBFGS(start: [3, 4], rules: rules)
        XCTAssertEqual(lbfgs.advance(loss: 2, gradient: [0, 1e-8]), .converged)
        XCTAssertEqual(lbfgs.iterate, [3, 4])
        XCTAssertEqual(lbfgs.bestLoss, 2)
    }

    private func assertNear(
        _ actual: [Float], _ expected: [Double], _ tolerance: Double, _ name: String
    ) {
        XCTAssertEqual(actual.count, expected.count, name)
        for (value, target) in zip(actual, expected) {
            XCTAssertEqual(
                Double(value), target, accuracy: tolerance * max(1, abs(target)), name
            )
        }
    }
}
