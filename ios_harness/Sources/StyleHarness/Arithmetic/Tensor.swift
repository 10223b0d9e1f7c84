/// A float32 tensor; images are [1, 3, H, W] in 0..1.
public struct Tensor: Hashable, Sendable {
    public let shape: [Int]
    public let values: [Float]

    /// - Precondition: the number of values is the product of the shape.
    public init(shape: [Int], values: [Float]) {
        precondition(shape.reduce(1, *) == values.count, "\(values.count) values for \(shape)")
        self.shape = shape
        self.values = values
    }
}

/// Tensors by name.
public typealias Tensors = [String: Tensor]
