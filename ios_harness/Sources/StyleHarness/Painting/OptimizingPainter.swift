/// Painting by optimization: with `encode`, `content` and `step` files of one network.
extension Painter {
    /// Whether pictures are painted by many iterations of a `step` file.
    public var isOptimization: Bool { files.contains { $0.role == .step } }

    /// Number of iterations of a painting where none is named; nil for networks that paint at once.
    public var defaultIterations: Int? { artifact.manifest.network.optimization?.iterations }

    /// Return a photo painted by optimization.
    ///
    /// - Parameter report: receives the progress and a preview after each iteration, and returns
    ///   whether to go on.
    func optimize(
        _ photo: some Photo, style: StyleChoice, options: PaintOptions,
        report: (PaintProgress) -> Bool
    ) throws -> Painting {
        guard let rules = artifact.manifest.network.optimization else {
            throw EngineError.failed(
                "the manifest does not say how step files are iterated: export the network again"
            )
        }
        let (file, frame) = try best(.step, for: photo.size)
        guard let frame else { throw EngineError.failed("\(file.path) has no fixed size") }
        let plan = FramePlan(
            picture: photo.size, outer: frame, maxSide: options.maxSide, minSide: minSide
        )
        let content = try photo.scaled(to: plan.inner).framed(by: plan).tensor
        let fixed = try stepInputs(
            of: file, at: frame, content: content, style: style, options: options
        )
        let model = try model(of: file, at: frame, settings: options.settings)
        let optimization = Optimization(
            rules: rules, iterations: options.iterations ?? rules.iterations
        )
        let (image, result) = try optimization.run(from: content) { image in
            try model.step(image, inputs: fixed)
        } report: { progress in
            report(PaintProgress(progress: progress, plan: plan))
        }
        return Painting(
            picture: try RGBPicture(tensor: image).unframed(by: plan), path: file.path,
            effective: model.session.effective, parity: model.parity, optimization: result
        )
    }

    /// Return the inputs of a `step` file that stay the same over all iterations.
    private func stepInputs(
        of file: FileFact, at frame: PictureSize, content: Tensor, style: StyleChoice,
        options: PaintOptions
    ) throws -> Tensors {
        var inputs: Tensors = [:]
        for input in file.inputs {
            switch input.kind {
            case .strength: inputs[input.name] = Tensor(shape: [1], values: [options.strength])
            case .styleCode:
                let code = try code(of: style, options: options)
                inputs[input.name] = Tensor(shape: [1, code.count], values: code)
            case .contentTarget:
                inputs[input.name] = try contentTarget(of: content, at: frame, options: options)
            case .image: break
            case .loss, .gradient:
                throw EngineError.failed("\(file.path) takes the output \(input.name) as an input")
            case .map, .statistic, .region:
                throw EngineError.failed("\(file.path) takes \(input.name), which passes take")
            }
        }
        return inputs
    }

    private func contentTarget(
        of content: Tensor, at frame: PictureSize, options: PaintOptions
    ) throws -> Tensor {
        let size = SizeFact(height: frame.height, width: frame.width)
        let file = files.first { $0.role == .content && $0.accepts(size) }
        guard let file, let name = file.inputs.first?.name else {
            throw EngineError.failed(
                "the artifact has no content file of \(frame.width)x\(frame.height) "
                    + "for this device"
            )
        }
        let model = try model(of: file, at: frame, settings: options.settings)
        return try model.run([name: content])
    }
}

/// Progress of a painting by optimization.
public struct PaintProgress: Sendable {
    let progress: OptimizationProgress
    let plan: FramePlan

    /// Number of the iteration, from 1.
    public var iteration: Int { progress.iteration }
    public var iterations: Int { progress.iterations }
    /// Lowest loss so far.
    public var bestLoss: Double { progress.bestLoss }

    /// Return the picture with the lowest loss so far; it is converted when called.
    public func preview() throws -> RGBPicture {
        try RGBPicture(tensor: progress.best.tensor).unframed(by: plan)
    }
}
