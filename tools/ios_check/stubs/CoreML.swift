// Signatures of Apple's Core ML, as far as the harness uses them; written from its documentation.
@_exported import AppleFoundation
@_exported import CoreVideo
import Foundation

public enum MLComputeUnits: Int, Sendable {
    case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine
}
open class MLModelConfiguration {
    public init() {}
    public var computeUnits: MLComputeUnits = .all
}
public protocol MLFeatureProvider {
    var featureNames: Set<String> { get }
    func featureValue(for featureName: String) -> MLFeatureValue?
}
open class MLFeatureValue {
    public convenience init(pixelBuffer: CVPixelBuffer) { self.init() }
    public convenience init(multiArray: MLMultiArray) { self.init() }
    public init() {}
    public var imageBufferValue: CVPixelBuffer? { nil }
    public var multiArrayValue: MLMultiArray? { nil }
}
open class MLDictionaryFeatureProvider: MLFeatureProvider {
    public init(dictionary: [String: Any]) throws {}
    public var featureNames: Set<String> { [] }
    public func featureValue(for featureName: String) -> MLFeatureValue? { nil }
}
open class MLMultiArray {
    public init() {}
}
public protocol MLShapedArrayScalar {}
extension Float: MLShapedArrayScalar {}
public struct MLShapedArray<Scalar: MLShapedArrayScalar> {
    public init<S: Sequence>(scalars: S, shape: [Int]) where S.Element == Scalar {}
    public init(converting multiArray: MLMultiArray) {}
    public var shape: [Int] { [] }
    public var scalars: [Scalar] { [] }
}
extension MLMultiArray {
    public convenience init<Scalar: MLShapedArrayScalar>(_ shapedArray: MLShapedArray<Scalar>) {
        self.init()
    }
}
open class MLModel {
    public init(contentsOf url: URL, configuration: MLModelConfiguration) throws {}
    public class func compileModel(at modelURL: URL) async throws -> URL { modelURL }
    public var configuration: MLModelConfiguration { MLModelConfiguration() }
    public func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider {
        input
    }
    public func prediction(from input: any MLFeatureProvider) async throws
        -> any MLFeatureProvider
    { input }
}
public class MLCPUComputeDevice {}
public class MLGPUComputeDevice {}
public class MLNeuralEngineComputeDevice {}
public enum MLComputeDevice {
    case cpu(MLCPUComputeDevice)
    case gpu(MLGPUComputeDevice)
    case neuralEngine(MLNeuralEngineComputeDevice)
    public static var allComputeDevices: [MLComputeDevice] { [] }
}
public enum MLModelStructure {
    case program(Program)
    case unsupported
    public struct Program {
        public struct Function { public let block: Block }
        public struct Block { public let operations: [Operation] }
        public struct Operation {}
        public let functions: [String: Function]
    }
}
public class MLComputePlan {
    public struct DeviceUsage { public let preferred: MLComputeDevice }
    public struct Cost { public let weight: Double }
    public init() {}
    public var modelStructure: MLModelStructure { .unsupported }
    public static func load(
        contentsOf url: URL, configuration: MLModelConfiguration
    ) async throws -> MLComputePlan { MLComputePlan() }
    public func deviceUsage(for operation: MLModelStructure.Program.Operation) -> DeviceUsage? { nil }
    public func estimatedCost(of operation: MLModelStructure.Program.Operation) -> Cost? { nil }
}
