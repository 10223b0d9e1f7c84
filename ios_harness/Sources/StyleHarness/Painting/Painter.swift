import Foundation

/// Stylizes photos with the files of an artifact; each file is checked on its probe when loaded.
///
/// It is used by one task at a time: an actor owns it.
public final class Painter {
    let artifact: Artifact
    let files: [FileFact]
    let engine: any Engine
    /// File name extension of the engine.
    let suffix: String
    var fullSize = FullSizeState()
    private var models: [String: LoadedModel] = [:]

    /// - Parameter suffix: file name extension of the engine.
    public init(artifact: Artifact, engine: any Engine, suffix: String) {
        self.artifact = artifact
        self.engine = engine
        self.suffix = suffix
        files = artifact.manifest.files.filter { $0.path.hasSuffix(suffix) && !$0.isPass }
    }

    /// Whether the network has one fixed style.
    public var isFixedStyle: Bool { files.contains(where: \.isFixedStyle) }
    /// Whether a style can be given as a picture.
    public var acceptsStylePictures: Bool {
        files.contains { $0.role == .encode || ($0.role == .stylize && $0.inputs.count > 1) }
    }

    /// Release all loaded files.
    public func close() {
        models.values.forEach { $0.session.close() }
        models = [:]
        fullSize = FullSizeState()
    }

    /// Return a photo stylized, scaled to a file; `paintFullSize` keeps its size.
    ///
    /// - Parameter report: receives the progress of networks that paint by optimization after each
    ///   iteration, and returns whether to go on; it is not called for others.
    /// - Throws: `EngineError` if no file can do it on this device.
    public func paint(
        _ photo: some Photo, style: StyleChoice, options: PaintOptions,
        report: (PaintProgress) -> Bool = { _ in true }
    ) throws -> Painting {
        if isOptimization {
            return try optimize(photo, style: style, options: options, report: report)
        }
        let (file, frame) = try best(paintingRole, for: photo.size)
        let model = try model(of: file, at: frame, settings: options.settings)
        let inputs = try styleInputs(of: file, at: frame, style: style, options: options)
        let result = try framed(
            photo, on: model, frame: frame, inputs: inputs, options: options
        )
        var picture = result.painted
        if file.isFixedStyle {
            let photo = result.photo.enlarged(to: picture.size)
            picture = photo.blended(with: picture, strength: options.strength)
        }
        return Painting(
            picture: picture, path: file.path, effective: model.session.effective,
            parity: model.parity, optimization: nil
        )
    }

    /// Return the style code of a picture.
    public func styleCode(of picture: some Photo, options: PaintOptions) throws -> [Float] {
        let (file, frame) = try best(.encode, for: picture.size)
        let model = try model(of: file, at: frame, settings: options.settings)
        let size = frame ?? openFrame(of: picture.size, options: options)
        let name = file.inputs.first?.name ?? ""
        return try model.run([name: try picture.centreCrop(to: size).tensor]).values
    }

    var minSide: Int { artifact.manifest.network.minSide }

    /// Return the size at which files that accept any size run a picture.
    private func openFrame(of picture: PictureSize, options: PaintOptions) -> PictureSize {
        FramePlan(picture: picture, outer: nil, maxSide: options.maxSide, minSide: minSide).outer
    }

    private func framed(
        _ photo: some Photo, on model: LoadedModel, frame: PictureSize?, inputs: Tensors,
        options: PaintOptions
    ) throws -> (photo: RGBPicture, painted: RGBPicture) {
        let plan = FramePlan(
            picture: photo.size, outer: frame, maxSide: options.maxSide, minSide: minSide
        )
        let scaled = try photo.scaled(to: plan.inner)
        let painted = try model.paint(scaled.framed(by: plan), inputs: inputs)
        return (scaled, painted.unframed(by: plan))
    }

    private func styleInputs(
        of file: FileFact, at frame: PictureSize?, style: StyleChoice, options: PaintOptions
    ) throws -> Tensors {
        var inputs: Tensors = [:]
        for input in file.inputs {
            switch input.kind {
            case .strength:
                inputs[input.name] = Tensor(shape: [1], values: [options.strength])
            case .styleCode:
                let code = try code(of: style, options: options)
                inputs[input.name] = Tensor(shape: [1, code.count], values: code)
            case .image where input.name == "style":
                inputs[input.name] = try stylePicture(style, at: frame, options: options)
            case .image: break
            case .contentTarget, .loss, .gradient, .map, .statistic, .region:
                throw EngineError.failed("\(file.path) takes \(input.name), no picture")
            }
        }
        return inputs
    }

    func code(of style: StyleChoice, options: PaintOptions) throws -> [Float] {
        switch style {
        case .code(let code): return code
        case .picture(let picture): return try styleCode(of: picture, options: options)
        case .fixed: throw EngineError.failed("choose a style: this network has no fixed one")
        }
    }

    private func stylePicture(
        _ style: StyleChoice, at frame: PictureSize?, options: PaintOptions
    ) throws -> Tensor {
        guard case .picture(let picture) = style else {
            throw EngineError.failed("choose a style picture: this file accepts no style code")
        }
        let size = frame ?? openFrame(of: picture.size, options: options)
        return try picture.centreCrop(to: size).tensor
    }

    /// Return the file of a role, and its input size, that keep the most of a picture's pixels.
    func best(_ role: Role, for picture: PictureSize) throws -> (FileFact, PictureSize?) {
        let choices = files.filter { $0.role == role }.flatMap { file in
            file.sizeChoices.map { (file, $0.map(PictureSize.init)) }
        }
        guard let best = picture.best(of: choices, size: \.1) else {
            throw EngineError.failed("the artifact has no \(role) file for this device")
        }
        return best
    }

    /// Return a loaded file; one per role stays loaded.
    func model(
        of file: FileFact, at frame: PictureSize?, settings: [String: String]
    ) throws -> LoadedModel {
        let key = "\(file.path) \(settings.sorted { $0.key < $1.key })"
        if let model = models[key] { return model }
        for (other, model) in models where model.file.role == file.role {
            model.session.close()
            models[other] = nil
        }
        let model = try LoadedModel(
            file: file, frame: frame, artifact: artifact, engine: engine, settings: settings
        )
        models[key] = model
        return model
    }
}
