#if canImport(CoreML)
import CoreML
import StyleHarness

/// A loaded Core ML model. Images with pixel layout are pixel buffers, other tensors multi-arrays.
final class CoreMLSession: Session {
    let effective: [String: String]
    let compileNs: Int?
    let placement: [String: Double]

    private let cell: JobCell
    private var model: MLModel?
    private var features: MLDictionaryFeatureProvider?
    private var results: (any MLFeatureProvider)?

    init(model: MLModel, cell: JobCell, prepared: PreparedModel) {
        self.model = model
        self.cell = cell
        compileNs = prepared.model.compileNs
        placement = prepared.placement
        effective = ["engine": "coreml", "units": Self.name(of: model.configuration.computeUnits)]
    }

    func feed(_ inputs: Tensors) throws {
        var features: [String: MLFeatureValue] = [:]
        for fact in cell.inputs {
            guard let tensor = inputs[fact.name] else {
                throw EngineError.failed("no tensor \(fact.name) was fed")
            }
            features[fact.name] = try Self.value(of: tensor, as: fact)
        }
        self.features = try MLDictionaryFeatureProvider(dictionary: features)
    }

    func invoke() throws {
        guard let model, let features else { throw EngineError.failed("no inputs were fed") }
        results = try model.prediction(from: features)
    }

    func fetch() throws -> Tensors {
        var outputs: Tensors = [:]
        for fact in cell.outputs {
            guard let value = results?.featureValue(for: fact.name) else {
                throw EngineError.failed("the file returned no tensor \(fact.name)")
            }
            outputs[fact.name] = try Self.tensor(of: value, named: fact.name)
        }
        return outputs
    }

    func close() {
        (model, features, results) = (nil, nil, nil)
    }

    private static func value(of tensor: Tensor, as fact: TensorFact) throws -> MLFeatureValue {
        if fact.layout == .pixels {
            let buffer = try PixelBuffer.buffer(of: RGBPicture(tensor: tensor))
            return MLFeatureValue(pixelBuffer: buffer)
        }
        let array = MLShapedArray<Float>(scalars: tensor.values, shape: tensor.shape)
        return MLFeatureValue(multiArray: MLMultiArray(array))
    }

    private static func tensor(of value: MLFeatureValue, named name: String) throws -> Tensor {
        if let buffer = value.imageBufferValue {
            return try PixelBuffer.tensor(of: buffer)
        }
        guard let array = value.multiArrayValue else {
            throw EngineError.failed("\(name) is neither an image nor a multi-array")
        }
        let shaped = MLShapedArray<Float>(converting: array)
        return Tensor(shape: shaped.shape, values: shaped.scalars)
    }

    private static func name(of units: MLComputeUnits) -> String {
        ComputeUnits.allCases.first { $0.coreML == units }?.rawValue ?? "other"
    }
}
#endif
