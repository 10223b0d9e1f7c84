import Foundation

/// Paints photos with the files of an artifact; every file proves itself on its probe first.
///
/// It is used by one task at a time: an actor owns it.
public final class Painter {
    private let artifact: Artifact
    private let engine: any Engine
    private let files: [FileFact]
    private var easels: [String: Easel] = [:]

    /// - Parameter suffix: of the files that the engine runs.
    public init(artifact: Artifact, engine: any Engine, suffix: String) {
        self.artifact = artifact
        self.engine = engine
        files = artifact.manifest.files.filter { $0.path.hasSuffix(suffix) }
    }

    /// Whether the files paint in one style of their own.
    public var hasStyleOfItsOwn: Bool { files.contains { $0.hasStyleOfItsOwn } }
    /// Whether a style may be a picture.
    public var takesPictures: Bool {
        files.contains { $0.role == .encode || ($0.role == .stylize && $0.inputs.count > 1) }
    }

    /// Give back all loaded files.
    public func close() {
        easels.values.forEach { $0.session.close() }
        easels = [:]
    }

    /// Return a photo as a painting.
    public func paint(
        _ photo: some Photo, style: StyleChoice, options: PaintOptions
    ) throws -> Painting {
        let able = files.contains { $0.role == .transform } ? Role.transform : .stylize
        let (file, frame) = try best(able, for: photo.size)
        let easel = try easel(of: file, at: frame, settings: options.settings)
        let inputs = try styleInputs(of: file, at: frame, style: style, options: options)
        let content =
            if options.isTiled, let frame {
                try tiled(photo, on: easel, frame: frame, inputs: inputs, options: options)
            } else {
                try framed(photo, on: easel, frame: frame, inputs: inputs, options: options)
            }
        var picture = content.painted
        if file.hasStyleOfItsOwn {
            picture = content.photo.blended(with: picture, strength: options.strength)
        }
        return Painting(
            picture: picture, path: file.path, effective: easel.session.effective,
            parity: easel.parity
        )
    }

    /// Return the style code of a picture.
    public func styleCode(of picture: some Photo, options: PaintOptions) throws -> [Float] {
        let (file, frame) = try best(.encode, for: picture.size)
        let size =
            frame
            ?? FramePlan(
                picture: picture.size, outer: nil, maxSide: options.maxSide, minSide: minSide
            ).outer
        let easel = try easel(of: file, at: frame, settings: options.settings)
        let name = file.inputs.first?.name ?? ""
        return try easel.run([name: try picture.middle(at: size).tensor]).values
    }

    private var minSide: Int { artifact.manifest.network.minSide }

    private func framed(
        _ photo: some Photo, on easel: Easel, frame: PictureSize?, inputs: Tensors,
        options: PaintOptions
    ) throws -> (photo: RGBPicture, painted: RGBPicture) {
        let plan = FramePlan(
            picture: photo.size, outer: frame, maxSide: options.maxSide, minSide: minSide
        )
        let scaled = try photo.scaled(to: plan.inner)
        let painted = try easel.paint(scaled.framed(by: plan), inputs: inputs)
        return (scaled, painted.unframed(by: plan))
    }

    private func tiled(
        _ photo: some Photo, on easel: Easel, frame: PictureSize, inputs: Tensors,
        options: PaintOptions
    ) throws -> (photo: RGBPicture, painted: RGBPicture) {
        let whole = FramePlan(
            picture: photo.size, outer: nil, maxSide: options.maxSide, minSide: minSide
        )
        let scaled = try photo.scaled(to: whole.inner)
        let overlap = min(options.overlap, min(frame.height, frame.width) / 2)
        let plan = TilePlan(picture: scaled.size, tile: frame, overlap: overlap)
        var joiner = TileJoiner(plan: plan)
        for tile in plan.tiles {
            joiner.add(try easel.paint(scaled.tile(tile), inputs: inputs))
        }
        return (scaled, joiner.picture)
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
            }
        }
        return inputs
    }

    private func code(of style: StyleChoice, options: PaintOptions) throws -> [Float] {
        switch style {
        case .code(let code): return code
        case .picture(let picture): return try styleCode(of: picture, options: options)
        case .own: throw EngineError.failed("choose a style: this network has none of its own")
        }
    }

    private func stylePicture(
        _ style: StyleChoice, at frame: PictureSize?, options: PaintOptions
    ) throws -> Tensor {
        guard case .picture(let picture) = style else {
            throw EngineError.failed("choose a style picture: this file takes no packed code")
        }
        let size =
            frame
            ?? FramePlan(
                picture: picture.size, outer: nil, maxSide: options.maxSide, minSide: minSide
            ).outer
        return try picture.middle(at: size).tensor
    }

    private func best(_ role: Role, for picture: PictureSize) throws -> (FileFact, PictureSize?) {
        let choices = files.filter { $0.role == role }.flatMap { file in
            file.choices.map { (file, $0.map(PictureSize.init)) }
        }
        guard let best = picture.best(of: choices, size: \.1) else {
            throw EngineError.failed("the artifact holds no \(role) file for this device")
        }
        return best
    }

    /// Return a loaded file, one of each role kept, after it has proven itself on its probe.
    private func easel(
        of file: FileFact, at frame: PictureSize?, settings: [String: String]
    ) throws -> Easel {
        let key = "\(file.path) \(settings.sorted { $0.key < $1.key })"
        if let easel = easels[key] { return easel }
        for (other, easel) in easels where easel.file.role == file.role {
            easel.session.close()
            easels[other] = nil
        }
        let easel = try Easel(
            file: file, frame: frame, artifact: artifact, engine: engine, settings: settings
        )
        easels[key] = easel
        return easel
    }
}
