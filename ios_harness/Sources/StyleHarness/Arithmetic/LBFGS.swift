/// Limited-memory BFGS with a fixed step and without a line search, as `torch.optim.LBFGS` computes
/// it with one evaluation an iteration; `docs/reference/l-bfgs.md` specifies it for all hosts.
///
/// Evaluate the loss and its gradient at `iterate`, pass both to `advance`, and repeat. Vectors are
/// float32; sums over their elements are float64.
public struct LBFGS: Sendable {
    /// What an evaluation led to.
    public enum Outcome: Hashable, Sendable {
        /// There is a new iterate.
        case moved
        /// The gradient, or the slope along the direction, is too small to go on.
        case converged
        /// The loss or the gradient is not finite, or losses are far above the best.
        case diverged
    }

    /// Differences of two iterates and of their gradients.
    private struct Pair: Sendable {
        var step: [Float]
        var change: [Float]
        /// One over the scalar product of the two.
        var rho: Double
    }

    private static let gradientTolerance = 1e-7
    private static let slopeTolerance = 1e-9
    private static let leastCurvature = 1e-10

    /// Variables at which to evaluate next.
    public private(set) var iterate: [Float]
    /// Variables with the lowest loss so far; the start before the first evaluation.
    public private(set) var best: [Float]
    /// Lowest loss so far; infinity before the first evaluation.
    public private(set) var bestLoss = Double.infinity

    private let rules: OptimizationFact
    private var pairs: [Pair] = []
    private var direction: [Float] = []
    private var gradient: [Float] = []
    private var stepLength = 0.0
    private var scale = 1.0
    /// Number of losses, one after the other, that were far above the best.
    private var farLosses = 0

    /// - Parameters:
    ///   - start: variables of the first evaluation.
    ///   - rules: length of the history, of a step, and what counts as divergence.
    public init(start: [Float], rules: OptimizationFact) {
        iterate = start
        best = start
        self.rules = rules
    }

    /// Take the loss and the gradient at `iterate`, and move on.
    ///
    /// - Precondition: the gradient has an element for each variable.
    public mutating func advance(loss: Double, gradient next: [Float]) -> Outcome {
        precondition(next.count == iterate.count, "\(next.count) derivatives for \(iterate.count)")
        let (sum, largest) = FloatVector.absolutes(next)
        let isFar = bestLoss > 0 && loss > rules.divergence * bestLoss
        farLosses = isFar ? farLosses + 1 : 0
        guard loss.isFinite, sum.isFinite, farLosses < rules.patience else { return .diverged }
        if loss < bestLoss {
            bestLoss = loss
            best = iterate
        }
        if largest <= Self.gradientTolerance { return .converged }
        let isFirst = gradient.isEmpty
        if !isFirst { remember(next) }
        gradient = next
        direction = next.map { -$0 }
        if !isFirst { approximateNewtonDirection() }
        stepLength = rules.learningRate * (isFirst ? min(1, 1 / sum) : 1)
        let slope = FloatVector.dot(gradient, direction)
        if slope > -Self.slopeTolerance { return .converged }
        FloatVector.add(direction, times: stepLength, to: &iterate)
        return .moved
    }

    /// Append the last step and the change of the gradient where the curvature along it is positive.
    private mutating func remember(_ next: [Float]) {
        var pair = Pair(step: direction, change: next, rho: 0)
        FloatVector.scale(&pair.step, by: stepLength)
        FloatVector.add(gradient, times: -1, to: &pair.change)
        let curvature = FloatVector.dot(pair.change, pair.step)
        guard curvature > Self.leastCurvature else { return }
        pair.rho = 1 / curvature
        scale = curvature / FloatVector.dot(pair.change, pair.change)
        if pairs.count == rules.history { pairs.removeFirst() }
        pairs.append(pair)
    }

    /// Multiply the direction by the approximate inverse Hessian: the two-loop recursion.
    private mutating func approximateNewtonDirection() {
        var weights: [Double] = []
        for pair in pairs.reversed() {
            let weight = pair.rho * FloatVector.dot(pair.step, direction)
            FloatVector.add(pair.change, times: -weight, to: &direction)
            weights.append(weight)
        }
        FloatVector.scale(&direction, by: scale)
        for (pair, weight) in zip(pairs, weights.reversed()) {
            let correction = pair.rho * FloatVector.dot(pair.change, direction)
            FloatVector.add(pair.step, times: weight - correction, to: &direction)
        }
    }
}

/// Operations on vectors of float32 whose sums are float64.
enum FloatVector {
    /// Sums that do not wait for one another.
    private typealias Lanes = SIMD8<Double>

    /// Return the sum and the largest of the absolute values; the sum is not finite if any is not.
    static func absolutes(_ vector: [Float]) -> (sum: Double, largest: Double) {
        var sum = 0.0
        var largest: Float = 0
        for value in vector {
            sum += Double(abs(value))
            largest = max(largest, abs(value))
        }
        return (sum, Double(largest))
    }

    /// Return the scalar product.
    static func dot(_ first: [Float], _ second: [Float]) -> Double {
        precondition(first.count == second.count)
        return first.withUnsafeBufferPointer { first in
            second.withUnsafeBufferPointer { second in
                var sums = Lanes.zero
                let whole = first.count - first.count % Lanes.scalarCount
                for begin in stride(from: 0, to: whole, by: Lanes.scalarCount) {
                    for lane in 0..<Lanes.scalarCount {
                        let index = begin + lane
                        sums[lane] += Double(first[index]) * Double(second[index])
                    }
                }
                var rest = 0.0
                for index in whole..<first.count {
                    rest += Double(first[index]) * Double(second[index])
                }
                return sums.sum() + rest
            }
        }
    }

    /// Add a multiple of a vector to another.
    static func add(_ vector: [Float], times factor: Double, to target: inout [Float]) {
        precondition(vector.count == target.count)
        let factor = Float(factor)
        vector.withUnsafeBufferPointer { vector in
            target.withUnsafeMutableBufferPointer { target in
                for index in target.indices {
                    target[index] += factor * vector[index]
                }
            }
        }
    }

    /// Multiply a vector by a number.
    static func scale(_ vector: inout [Float], by factor: Double) {
        let factor = Float(factor)
        vector.withUnsafeMutableBufferPointer { vector in
            for index in vector.indices {
                vector[index] *= factor
            }
        }
    }
}
