/// Minimization of a loss from an image, by L-BFGS; the image with the lowest loss is kept.
///
/// The variable is the image divided by a number, and the gradient is multiplied by it, so that the
/// first step of L-BFGS changes every pixel value by `firstChange` on average.
struct Optimization {
    let rules: OptimizationFact
    /// Largest number of iterations, each of one evaluation; the last image is evaluated too.
    let iterations: Int

    /// Minimize, until all iterations are done or something ends them.
    ///
    /// - Parameters:
    ///   - start: image [1, 3, H, W], about 0..1.
    ///   - evaluate: returns the loss of an image, and its gradient of the image's shape.
    ///   - report: receives the progress after each iteration, and returns whether to go on.
    /// - Returns: the best image, not clamped, and how the iterations ended.
    /// - Throws: `EngineError` if not even the first loss is finite, and what `evaluate` throws.
    func run(
        from start: Tensor, evaluate: (Tensor) throws -> (loss: Double, gradient: Tensor),
        report: (OptimizationProgress) -> Bool
    ) throws -> (image: Tensor, result: OptimizationResult) {
        let scale = Float(rules.firstChange * Double(start.values.count))
        var lbfgs = LBFGS(start: start.values.map { $0 / scale }, rules: rules)
        func advance() throws -> (loss: Double, outcome: LBFGS.Outcome) {
            let values = lbfgs.iterate.map { $0 * scale }
            let (loss, gradient) = try evaluate(Tensor(shape: start.shape, values: values))
            let scaled = gradient.values.map { $0 * scale }
            return (loss, lbfgs.advance(loss: loss, gradient: scaled))
        }
        var (done, ending) = (0, OptimizationResult.Ending.finished)
        while done < iterations && ending == .finished {
            let (loss, outcome) = try advance()
            guard lbfgs.bestLoss.isFinite else {
                throw EngineError.failed("the loss of the photo, or its gradient, is not finite")
            }
            done += 1
            let goesOn = report(
                OptimizationProgress(
                    iteration: done, iterations: iterations, loss: loss, bestLoss: lbfgs.bestLoss,
                    best: ScaledImage(shape: start.shape, variable: lbfgs.best, scale: scale)
                )
            )
            switch outcome {
            case .moved: if !goesOn { ending = .stopped }
            case .converged: ending = .converged
            case .diverged: ending = .diverged(loss: loss)
            }
        }
        if ending == .finished {
            let (loss, outcome) = try advance()
            if outcome == .diverged { ending = .diverged(loss: loss) }
        }
        return (
            ScaledImage(shape: start.shape, variable: lbfgs.best, scale: scale).tensor,
            OptimizationResult(iterations: done, bestLoss: lbfgs.bestLoss, ending: ending)
        )
    }
}

/// An image as the variable of an optimization.
struct ScaledImage: Sendable {
    let shape: [Int]
    let variable: [Float]
    let scale: Float

    /// The image itself, not clamped.
    var tensor: Tensor { Tensor(shape: shape, values: variable.map { $0 * scale }) }
}

/// State of an optimization after an iteration.
public struct OptimizationProgress: Sendable {
    /// Number of the iteration, from 1.
    public let iteration: Int
    public let iterations: Int
    public let loss: Double
    /// Lowest loss so far.
    public let bestLoss: Double
    /// Image with the lowest loss, [1, 3, H, W], with the frame around the photo.
    let best: ScaledImage
}

/// How an optimization ended; its picture is the one with the lowest loss, whatever the ending.
public struct OptimizationResult: Hashable, Sendable {
    public enum Ending: Hashable, Sendable {
        /// All iterations were done.
        case finished
        /// The gradient became too small to go on.
        case converged
        /// The loss or its gradient was not finite, or the loss was far above the lowest.
        case diverged(loss: Double)
        /// It was stopped from outside.
        case stopped
    }

    /// Number of iterations that were done.
    public let iterations: Int
    /// Lowest loss of all iterations.
    public let bestLoss: Double
    public let ending: Ending

    /// The result in words.
    public var note: String {
        let best = "best loss \(bestLoss.shortText)"
        return switch ending {
        case .finished: "\(iterations) iterations, \(best)"
        case .converged: "converged at iteration \(iterations), \(best)"
        case .stopped: "stopped after iteration \(iterations), \(best)"
        case .diverged(let loss):
            "diverged at iteration \(iterations) with a loss of \(loss.shortText); "
                + "the best picture was kept, \(best)"
        }
    }
}
