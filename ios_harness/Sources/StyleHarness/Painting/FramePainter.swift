/// Paints frames of a camera of a window's size, with statistics smoothed over time.
///
/// All passes stay open, and maps stay in memory: a frame is one tile.
public final class FramePainter {
    private let tiling: TilingFact
    private var passes: [(file: FileFact, session: any Session)] = []
    private var smoothed: SmoothedStatistics

    /// - Parameters:
    ///   - tiling: entry of the manifest.
    ///   - files: files of the manifest.
    ///   - stability: 0 takes each frame's own statistics, 1 averages longest.
    ///   - open: loads a file.
    /// - Throws: `EngineError` if a file is not listed, and what `open` throws.
    public init(
        tiling: TilingFact, files: [FileFact], stability: Double,
        open: (FileFact) throws -> any Session
    ) throws {
        self.tiling = tiling
        smoothed = SmoothedStatistics(tiling.statistics, stability: stability)
        for pass in tiling.passes {
            guard let file = files.first(where: { $0.path == pass.path }) else {
                throw EngineError.failed(
                    "the manifest does not list \(pass.path): export the network again"
                )
            }
            passes.append((file, try open(file)))
        }
    }

    deinit { passes.forEach { $0.session.close() } }

    /// Settings as the runtime reports them.
    var effective: [String: String] { passes.last?.session.effective ?? [:] }

    /// Return a painted frame, [1, 3, k·H, k·W].
    ///
    /// - Parameters:
    ///   - content: frame, [1, 3, H, W], of the window's size.
    ///   - inputs: `style_code` and `strength`, where the files take them.
    ///   - seconds: when the frame was taken.
    /// - Throws: `EngineError` if a file computes values that are not finite.
    public func paint(_ content: Tensor, inputs: Tensors, at seconds: Double) throws -> Tensor {
        let window = tiling.window
        var known = inputs
        known["region"] = Tensor(
            shape: [4], values: [0, 0, Float(window.height), Float(window.width)]
        )
        smoothed.frame(at: seconds)
        for (file, session) in passes {
            let outputs = try withAutoreleasePool {
                try session.feed(Self.inputs(of: file, content, known))
                try session.invoke()
                return try session.fetch()
            }
            guard outputs.values.allSatisfy({ $0.values.allSatisfy(\.isFinite) }) else {
                throw EngineError.failed("\(file.path) returned NaN or infinity for this picture")
            }
            known.merge(outputs) { _, new in new }
            known.merge(settled(file, outputs)) { _, new in new }
        }
        let image = passes.last?.file.outputs.first { $0.kind == .image }
        guard let image, let painted = known[image.name] else {
            throw EngineError.failed("the passes give no image")
        }
        return painted
    }

    private static func inputs(
        of file: FileFact, _ content: Tensor, _ known: Tensors
    ) throws -> Tensors {
        var inputs: Tensors = [:]
        for fact in file.inputs {
            guard let value = fact.kind == .image ? content : known[fact.name] else {
                throw EngineError.failed("\(file.path) takes \(fact.name), which nothing gives")
            }
            inputs[fact.name] = value
        }
        return inputs
    }

    /// Return the smoothed statistics of a pass; those of a frame are its only tile's.
    private func settled(_ file: FileFact, _ outputs: Tensors) -> Tensors {
        let names = file.outputs.filter { $0.kind == .statistic }.map(\.name)
        guard !names.isEmpty else { return [:] }
        let given = names.reduce(into: [String: [Double]]()) { given, name in
            given[name] = outputs[name]?.values.map(Double.init)
        }
        return smoothed.settle(given).mapValues { values in
            Tensor(shape: [1, values.count], values: values.map(Float.init))
        }
    }
}
