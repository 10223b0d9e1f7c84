#if canImport(CoreAI)
import CoreAI
import Dispatch
import StyleHarness

/// A loaded function of a Core AI model; its inputs and outputs are arrays of float32.
@available(iOS 27.0, macOS 27.0, *)
final class CoreAISession: Session {
    let effective: [String: String]
    let compileNs: Int?
    /// Core AI does not report where a function runs.
    let placement: [String: Double] = [:]

    private let cell: JobCell
    private var function: InferenceFunction?
    private var inputs: [String: NDArray] = [:]
    private var results: Tensors = [:]

    init(function: InferenceFunction, cell: JobCell, units: ComputeUnits, compileNs: Int) {
        self.function = function
        self.cell = cell
        self.compileNs = compileNs
        effective = ["engine": "coreai", "units": units.rawValue]
    }

    func feed(_ inputs: Tensors) throws {
        self.inputs = [:]
        for fact in cell.inputs {
            guard let tensor = inputs[fact.name] else {
                throw EngineError.failed("no tensor \(fact.name) was fed")
            }
            guard
                case .ndArray(let descriptor)? =
                    function?.descriptor.inputDescriptor(of: fact.name)
            else { throw EngineError.failed("the file takes no array \(fact.name)") }
            var array = NDArray(descriptor: descriptor)
            try Self.write(tensor, into: &array, named: fact.name)
            self.inputs[fact.name] = array
        }
    }

    func invoke() throws {
        guard let function, !inputs.isEmpty else {
            throw EngineError.failed("no inputs were fed")
        }
        let (inputs, names) = (inputs, cell.outputs.map(\.name))
        results = try Blocking.value {
            var outputs = try await function.run(inputs: inputs)
            var found: Tensors = [:]
            for name in names {
                guard let array = outputs.remove(name)?.ndArray else {
                    throw EngineError.failed("the file returned no array \(name)")
                }
                found[name] = try Self.tensor(of: array, named: name)
            }
            return found
        }
    }

    func fetch() throws -> Tensors { results }

    func close() {
        (function, inputs, results) = (nil, [:], [:])
    }

    private static func write(
        _ tensor: Tensor, into array: inout NDArray, named name: String
    ) throws {
        try array.mutableRawView().withUnsafeMutableBytes { pointer, shape, strides in
            try check(shape: shape, strides: strides, named: name)
            guard (0..<shape.count).map({ shape[$0] }) == tensor.shape else {
                throw EngineError.failed("\(name) is \(tensor.shape), the file takes another shape")
            }
            let numbers = pointer.bindMemory(to: Float.self, capacity: tensor.values.count)
            for (index, value) in tensor.values.enumerated() { numbers[index] = value }
        }
    }

    private static func tensor(of array: NDArray, named name: String) throws -> Tensor {
        try array.rawView().withUnsafeBytes { pointer, shape, strides in
            try check(shape: shape, strides: strides, named: name)
            let sides = (0..<shape.count).map { shape[$0] }
            let count = sides.reduce(1, *)
            let numbers = pointer.bindMemory(to: Float.self, capacity: count)
            return Tensor(shape: sides, values: (0..<count).map { numbers[$0] })
        }
    }

    /// Refuse an array whose elements do not follow one another.
    private static func check<Sides: RandomAccessCollection>(
        shape: Sides, strides: Sides, named name: String
    ) throws where Sides.Element == Int, Sides.Index == Int {
        var expected = 1
        for axis in (0..<shape.count).reversed() {
            guard strides[axis] == expected || shape[axis] == 1 else {
                throw EngineError.failed("\(name) is not laid out row by row")
            }
            expected *= shape[axis]
        }
    }
}

/// Waits for asynchronous work on a thread that may block, as that of a measurement.
private enum Blocking {
    static func value<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        let (done, box) = (DispatchSemaphore(value: 0), Box<Value>())
        Task {
            do {
                box.result = .success(try await work())
            } catch {
                box.result = .failure(error)
            }
            done.signal()
        }
        done.wait()
        guard let result = box.result else { throw EngineError.failed("Core AI gave no result") }
        return try result.get()
    }

    /// Written before the semaphore is signalled and read after it.
    private final class Box<Value: Sendable>: @unchecked Sendable {
        var result: Result<Value, any Error>?
    }
}
#endif
