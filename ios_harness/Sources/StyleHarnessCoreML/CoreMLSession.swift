#if canImport(CoreML)
import CoreML
import StyleHarness

/// A loaded Core ML model; pictures are pixel buffers, all else multi-arrays.
final class CoreMLSession: Session {
    let effective: [String: String]
    let compileNs: Int?
    let placement: [String: Double]

    private let wish: CellWish
    private var model: MLModel?
    private var fed: MLDictionaryFeatureProvider?
    private var results: (any MLFeatureProvider)?

    init(model: MLModel, wish: CellWish, prepared: PreparedModel) {
        self.model = model
        self.wish = wish
        compileNs = prepared.model.compileNs
        placement = prepared.placement
        effective = ["engine": "coreml", "units": Self.name(of: model.configuration.computeUnits)]
    }

    func feed(_ inputs: Tensors) throws {
        var features: [String: MLFeatureValue] = [:]
        for fact in wish.inputs {
            guard let tensor = inputs[fact.name] else {
                throw EngineError.failed("no tensor \(fact.name) was fed")
            }
            features[fact.name] = try Self.value(of: tensor, as: fact)
        }
        fed = try MLDictionaryFeatureProvider(dictionary: features)
    }

    func invoke() throws {
        guard let model, let fed else { throw EngineError.failed("nothing was fed") }
        results = try model.prediction(from: fed)
    }

    func fetch() throws -> Tensors {
        var outputs: Tensors = [:]
        for fact in wish.outputs {
            guard let value = results?.featureValue(for: fact.name) else {
                throw EngineError.failed("the file gives no tensor \(fact.name)")
            }
            outputs[fact.name] = try Self.tensor(of: value, named: fact.name)
        }
        return outputs
    }

    func close() {
        (model, fed, results) = (nil, nil, nil)
    }

    private static func value(of tensor: Tensor, as fact: TensorFact) throws -> MLFeatureValue {
        if fact.layout == .pixels {
            let buffer = try PixelBuffer.made(of: RGBPicture(tensor: tensor))
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
            throw EngineError.failed("\(name) is neither a picture nor a multi-array")
        }
        let shaped = MLShapedArray<Float>(converting: array)
        return Tensor(shape: shaped.shape, values: shaped.scalars)
    }

    private static func name(of units: MLComputeUnits) -> String {
        ComputeUnits.allCases.first { $0.coreML == units }?.rawValue ?? "other"
    }
}
#endif
