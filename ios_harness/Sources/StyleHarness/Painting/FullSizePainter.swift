import Foundation

/// Painting at full size: in tiles whose statistics are those of the whole photo.
extension Painter {
    /// Whether the artifact has files that paint photos of any size in tiles.
    public var hasTiles: Bool { !tilings.isEmpty }

    /// Whether a photo is larger than the file that would paint it, and the artifact has tiles.
    public func paintsInTiles(_ photo: PictureSize) -> Bool {
        guard hasTiles, let (_, frame) = try? best(paintingRole, for: photo), let frame else {
            return false
        }
        return photo.height > frame.height || photo.width > frame.width
    }

    /// Return a photo painted at its full size, or a multiple where the network enlarges.
    ///
    /// Features of the last photo are kept: another style or strength repaints from them.
    ///
    /// - Parameters:
    ///   - folder: folder of feature maps, and of the painting.
    ///   - report: receives the progress, and returns whether to go on.
    /// - Throws: `EngineError` if there is no room, or files do not compute what they should here;
    ///   `CancellationError` if the report said so.
    public func paintFullSize(
        _ photo: some Photo, style: StyleChoice, options: PaintOptions, folder: URL,
        report: TiledPainter.Report
    ) throws -> TiledPainting {
        let (file, _) = try best(paintingRole, for: photo.size)
        let tiling = try tiling(for: file)
        let opened = OpenedSettings()
        let painter = try tiledPainter(tiling, options.settings, folder, opened)
        let key = "\(painter.last.path) \(options.settings.sorted { $0.key < $1.key })"
        let parity = try fullSize.parities[key] ?? proven(painter)
        fullSize.parities[key] = parity
        let inputs = try styleInputs(of: painter, style: style, options: options)
        let features = try features(of: photo, painter, key, report)
        let scale = try scale(of: painter)
        let picture = try PictureFile(in: folder, size: photo.size.times(scale))
        try painter.render(features, inputs: inputs, report: report) { top, left, pixels in
            var pixels = pixels
            if !painter.takesStrength && options.strength != 1 {
                pixels = try features.picture.window(
                    rows: (top..<top + pixels.shape[2]).map { $0 / scale },
                    columns: (left..<left + pixels.shape[3]).map { $0 / scale }
                ).blended(with: pixels, strength: options.strength)
            }
            try picture.write(top: top, left: left, pixels: pixels)
        }
        return TiledPainting(
            picture: picture, path: painter.last.path, effective: opened.effective, parity: parity
        )
    }

    /// Whether frames of the camera can be painted with statistics smoothed over time: the window of
    /// the tiles has the size of the file that would paint them.
    public func smoothsFrames(of photo: PictureSize) -> Bool {
        guard let (file, frame) = try? best(paintingRole, for: photo), let frame,
            let tiling = try? tiling(for: file)
        else { return false }
        return frame == PictureSize(tiling.window)
    }

    /// Return a frame of the camera painted, scaled to the window.
    ///
    /// - Parameters:
    ///   - stability: 0 takes each frame's own statistics, 1 averages longest.
    ///   - seconds: when the frame was taken.
    /// - Throws: `EngineError` if files do not compute what they should here.
    public func paintFrame(
        _ photo: some Photo, style: StyleChoice, options: PaintOptions, stability: Double,
        at seconds: Double, folder: URL
    ) throws -> Painting {
        let (file, _) = try best(paintingRole, for: photo.size)
        let tiling = try tiling(for: file)
        let tiled = try tiledPainter(tiling, options.settings, folder, OpenedSettings())
        let key = "\(tiled.last.path) \(options.settings.sorted { $0.key < $1.key })"
        let parity = try fullSize.parities[key] ?? proven(tiled)
        fullSize.parities[key] = parity
        let inputs = try styleInputs(of: tiled, style: style, options: options)
        let painter = try framePainter(tiling, options.settings, "\(key) \(stability)", stability)
        let plan = FramePlan(
            picture: photo.size, outer: PictureSize(tiling.window), maxSide: options.maxSide,
            minSide: minSide
        )
        let content = try photo.scaled(to: plan.inner).framed(by: plan)
        var picture = try RGBPicture(
            tensor: painter.paint(content.tensor, inputs: inputs, at: seconds)
        )
        if !tiled.takesStrength {
            picture = content.enlarged(to: picture.size)
                .blended(with: picture, strength: options.strength)
        }
        return Painting(
            picture: picture.unframed(by: plan), path: tiled.last.path,
            effective: painter.effective, parity: parity, optimization: nil
        )
    }

    private func framePainter(
        _ tiling: TilingFact, _ settings: [String: String], _ key: String, _ stability: Double
    ) throws -> FramePainter {
        if let frames = fullSize.frames, frames.key == key { return frames.painter }
        fullSize.frames = nil
        let probe = try probe
        let painter = try FramePainter(
            tiling: tiling, files: artifact.manifest.files, stability: stability
        ) { file in
            let cell = JobCell(
                file, of: artifact.manifest, size: tiling.window, probe: probe.path,
                settings: settings
            )
            return try engine.open(artifact.url(of: file.path), cell: cell)
        }
        fullSize.frames = (key, painter)
        return painter
    }

    var paintingRole: Role { files.contains { $0.role == .transform } ? .transform : .stylize }

    /// Tilings whose files the engine runs.
    private var tilings: [TilingFact] {
        artifact.manifest.tilings.filter { tiling in
            tiling.passes.allSatisfy { $0.path.hasSuffix(suffix) }
        }
    }

    /// Return the tiling of a file's precision; the first where that has none.
    private func tiling(for file: FileFact) throws -> TilingFact {
        let same = tilings.first { $0.precision == file.precision && $0.role == file.role }
        guard let tiling = same ?? tilings.first else {
            throw EngineError.failed(
                "to paint photos at full size, export the network again with "
                    + "styleexport export --full"
            )
        }
        return tiling
    }

    private func tiledPainter(
        _ tiling: TilingFact, _ settings: [String: String], _ folder: URL, _ opened: OpenedSettings
    ) throws -> TiledPainter {
        let (artifact, engine, probe) = (artifact, engine, try probe)
        return try TiledPainter(
            tiling: tiling, files: artifact.manifest.files, folder: folder
        ) { file in
            let cell = JobCell(
                file, of: artifact.manifest, size: tiling.window, probe: probe.path,
                settings: settings
            )
            let session = try engine.open(artifact.url(of: file.path), cell: cell)
            opened.effective = session.effective
            return session
        }
    }

    private var probe: ProbeFact {
        get throws {
            guard let probe = artifact.manifest.probes.first(where: { $0.role == .render }) else {
                throw EngineError.failed(
                    "its tiles have no probe: export the network again with --full"
                )
            }
            return probe
        }
    }

    /// Paint the probe, and return how well.
    private func proven(_ painter: TiledPainter) throws -> ParityFact {
        let probe = try SafetensorsFile.tensors(
            of: Data(contentsOf: artifact.url(of: self.probe.path))
        )
        let cell = JobCell(
            painter.last, of: artifact.manifest, size: painter.tiling.window, probe: "",
            settings: [:]
        )
        let image = try painter.painting(of: probe)
        let name = painter.last.outputs.first { $0.kind == .image }?.name ?? ""
        let parity = try ProbeCheck.parity(of: cell, outputs: [name: image], probe: probe)
        guard parity.passes else {
            throw EngineError.failed(
                "the tiles of \(painter.last.path) are wrong on this device: \(parity.summary); "
                    + "try other compute units"
            )
        }
        return parity
    }

    private func styleInputs(
        of painter: TiledPainter, style: StyleChoice, options: PaintOptions
    ) throws -> Tensors {
        var inputs = ["strength": Tensor(shape: [1], values: [options.strength])]
        if painter.takesStyleCode {
            let code = try code(of: style, options: options)
            inputs["style_code"] = Tensor(shape: [1, code.count], values: code)
        }
        return inputs
    }

    private func features(
        of photo: some Photo, _ painter: TiledPainter, _ key: String, _ report: TiledPainter.Report
    ) throws -> TiledFeatures {
        if let kept = fullSize.kept, kept.key == key, kept.photo == photo.identity {
            return kept.features
        }
        fullSize.kept = nil
        let features = try painter.features(
            of: PhotoPicture(photo: photo), keeping: true, report: report
        )
        fullSize.kept = FullSizeState.Kept(key: key, photo: photo.identity, features: features)
        return features
    }

    private func scale(of painter: TiledPainter) throws -> Int {
        guard let image = painter.last.outputs.first(where: { $0.kind == .image }),
            image.shape.count == 4
        else { throw EngineError.failed("\(painter.last.path) gives no image") }
        let axis = image.layout == .nhwc ? 1 : 2
        guard case .length(let height) = image.shape[axis] else { return 1 }
        return height / painter.tiling.window.height
    }
}

/// Features of the last photo, and what has been proven.
struct FullSizeState {
    struct Kept {
        let key: String
        let photo: AnyHashable
        /// Its files are removed with it.
        let features: TiledFeatures
    }

    var kept: Kept?
    /// What paints frames of the camera, with its files and stability.
    var frames: (key: String, painter: FramePainter)?
    /// Parity of tilings on their probe, by last file and settings.
    var parities: [String: ParityFact] = [:]
}

/// Settings as the runtime reports them for the file that was opened last.
private final class OpenedSettings {
    var effective: [String: String] = [:]
}

/// A photo that was painted at full size, and the files that painted it.
public struct TiledPainting {
    public let picture: PictureFile
    /// Path of the last file below the artifact.
    public let path: String
    /// Settings as the runtime reports them.
    public let effective: [String: String]
    /// Parity of the files on the probe, on this device.
    public let parity: ParityFact

    /// Size, file, settings and parity, in one line.
    public var note: String {
        [
            "\(picture.size.width)×\(picture.size.height) in tiles", path, effective.settingsNote,
            parity.note,
        ].joined(separator: ", ")
    }
}

extension Manifest {
    /// Cells of all passes that an engine may open, for its preparation.
    public func passCells(suffix: String, settings: [String: String]) -> [JobCell] {
        let passes = files.filter { $0.isPass && $0.path.hasSuffix(suffix) }
        return passes.map { file in
            let size = file.size ?? SizeFact(height: 1, width: 1)
            return JobCell(file, of: self, size: size, probe: "", settings: settings)
        }
    }
}
