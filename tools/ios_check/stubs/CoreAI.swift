// Signatures of Apple's Core AI (iOS 27), as far as the harness uses them; written from its documentation.
import Foundation

public enum ComputeUnitKind: Hashable, Sendable { case cpu, gpu, neuralEngine }
public struct SpecializationOptions: Sendable {
    public static let `default` = SpecializationOptions()
    public static let cpuOnly = SpecializationOptions()
    private init() {}
    public init(preferredComputeUnitKind: ComputeUnitKind) {}
}
public struct AIModel: Sendable {
    public init(contentsOf url: URL, options: SpecializationOptions = .default) async throws {}
    public var functionNames: [String] { [] }
    public func loadFunction(named name: String) throws -> InferenceFunction? { nil }
}
public struct NDArrayDescriptor: Sendable {
    public var shape: [Int] { [] }
}
public struct NDArray: Sendable {
    public init(descriptor: NDArrayDescriptor) {}
    public mutating func mutableRawView() -> MutableRawView { MutableRawView() }
    public func rawView() -> RawView { RawView() }
    public struct MutableRawView {
        public func withUnsafeMutableBytes<Value>(
            _ body: (UnsafeMutableRawPointer, [Int], [Int]) throws -> Value
        ) rethrows -> Value { fatalError("a stub") }
    }
    public struct RawView {
        public func withUnsafeBytes<Value>(
            _ body: (UnsafeRawPointer, [Int], [Int]) throws -> Value
        ) rethrows -> Value { fatalError("a stub") }
    }
}
public struct InferenceValue: Sendable {
    public enum Descriptor: Sendable { case ndArray(NDArrayDescriptor) }
    public var ndArray: NDArray? { nil }
}
public struct InferenceFunctionDescriptor: Sendable {
    public func inputDescriptor(of name: String) -> InferenceValue.Descriptor? { nil }
}
public struct InferenceFunction: Sendable {
    public let descriptor: InferenceFunctionDescriptor
    public struct Outputs {
        public mutating func remove(_ name: String) -> InferenceValue? { nil }
    }
    public func run(inputs: [String: NDArray]) async throws -> Outputs { Outputs() }
}
