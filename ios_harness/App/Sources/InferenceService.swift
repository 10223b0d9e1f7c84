@preconcurrency import CoreGraphics
import Dispatch
import Foundation
import StyleHarness
import StyleHarnessCoreML

/// Owner of the engine and all loaded models.
///
/// It runs on its own dispatch queue: a measurement blocks for minutes, which must not happen on a
/// thread of Swift's cooperative pool.
actor InferenceService {
    private struct CachedPainter {
        let artifact: Artifact
        let painter: Painter
    }

    private let queue = DispatchSerialQueue(
        label: "org.styleexport.harness.inference", qos: .userInitiated
    )
    private var cached: CachedPainter?

    init() {
        // What an app that was ended left.
        try? FileManager.default.removeItem(at: AppFolders.tiles)
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        queue.asUnownedSerialExecutor()
    }

    /// Return a photo stylized by an artifact.
    ///
    /// - Parameters:
    ///   - isFullSize: whether a photo larger than the file is painted at its size, in tiles, where
    ///     the artifact has the files.
    ///   - report: receives the state of a painting after each iteration or tile, and returns whether
    ///     to go on.
    /// - Throws: `CancellationError` if a painting in tiles was not to go on.
    func paint(
        _ photo: ImagePhoto, with artifact: Artifact, style: StyleChoice, options: PaintOptions,
        isFullSize: Bool, report: @Sendable (PaintUpdate) -> Bool
    ) async throws -> PaintedImage {
        let painter = try await painter(of: artifact)
        if isFullSize && !painter.isOptimization && painter.paintsInTiles(photo.size) {
            return try paintInTiles(
                photo, painter: painter, style: style, options: options, report: report
            )
        }
        let painting = try painter.paint(photo, style: style, options: options) { progress in
            let preview = (try? progress.preview()).flatMap(PictureCoder.image)
            return report(
                PaintUpdate(
                    done: progress.iteration, total: progress.iterations, preview: preview,
                    secondsLeft: nil
                )
            )
        }
        guard let image = PictureCoder.image(of: painting.picture) else {
            throw EngineError.outOfMemory("the painting does not fit into memory")
        }
        return PaintedImage(image: image, note: painting.note)
    }

    /// Return a frame of the camera stylized, with statistics smoothed over time where the artifact
    /// has the files.
    func paintFrame(
        _ photo: ImagePhoto, with artifact: Artifact, style: StyleChoice, options: PaintOptions,
        stability: Double, at seconds: Double
    ) async throws -> PaintedImage {
        let painter = try await painter(of: artifact)
        let painting =
            if stability > 0 && painter.smoothsFrames(of: photo.size) {
                try painter.paintFrame(
                    photo, style: style, options: options, stability: stability, at: seconds,
                    folder: AppFolders.tiles
                )
            } else {
                try painter.paint(photo, style: style, options: options)
            }
        guard let image = PictureCoder.image(of: painting.picture) else {
            throw EngineError.outOfMemory("the painting does not fit into memory")
        }
        return PaintedImage(image: image, note: painting.note)
    }

    private func paintInTiles(
        _ photo: ImagePhoto, painter: Painter, style: StyleChoice, options: PaintOptions,
        report: (PaintUpdate) -> Bool
    ) throws -> PaintedImage {
        let (clock, start) = (ContinuousClock(), ContinuousClock.now)
        var doneBefore: Int?
        let painting = try painter.paintFullSize(
            photo, style: style, options: options, folder: AppFolders.tiles
        ) { progress in
            // A repaint begins after the tiles of the features.
            let before = doneBefore ?? progress.done - 1
            doneBefore = before
            let each = (clock.now - start) / (progress.done - before)
            let left = each * (progress.total - progress.done)
            return report(
                PaintUpdate(
                    done: progress.done, total: progress.total, preview: nil,
                    secondsLeft: Int(left.components.seconds)
                )
            )
        }
        guard let image = try PictureCoder.image(of: painting.picture) else {
            throw EngineError.outOfMemory("the painting does not fit into memory")
        }
        return PaintedImage(image: image, note: painting.note)
    }

    /// Return the style inputs that an artifact supports.
    func styleInputs(of artifact: Artifact) async throws -> StyleInputs {
        let painter = try await painter(of: artifact)
        return StyleInputs(
            isFixedStyle: painter.isFixedStyle, acceptsPictures: painter.acceptsStylePictures,
            defaultIterations: painter.isOptimization ? painter.defaultIterations : nil,
            hasTiles: painter.hasTiles,
            codes: try artifact.styleCodes().mapValues(\.values),
            thumbnails: artifact.manifest.thumbnails.compactMapValues { path in
                try? ImagePhoto(data: Data(contentsOf: artifact.url(of: path)))
            }
        )
    }

    /// Measure a job; models loaded for painting are released first.
    func measure(
        _ job: JobFact, in artifact: Artifact, host: DeviceHost
    ) async -> LatencyReport {
        cached?.painter.close()
        cached = nil
        let engine = await AppleEngine.prepared(
            for: job.cells, in: artifact, isTimed: true, progress: { host.progress($0) }
        )
        let reporter = Reporter(
            measurement: Measurement(engine: engine, host: host), machine: DeviceFacts.machine,
            isDebugBuild: DeviceFacts.isDebugBuild, state: { DeviceFacts.state }
        )
        return reporter.report(of: job, in: artifact)
    }

    private func painter(of artifact: Artifact) async throws -> Painter {
        if let cached, cached.artifact == artifact { return cached.painter }
        let suffix = AppleEngine.suffix(for: artifact.manifest)
        let cells = ComputeUnits.allCases.flatMap { units in
            let settings = [ComputeUnits.setting: units.rawValue]
            let job = JobFact.local(
                for: artifact.manifest, suffix: suffix, version: "", settings: settings
            )
            return job.cells + artifact.manifest.passCells(suffix: suffix, settings: settings)
        }
        let engine = await AppleEngine.prepared(for: cells, in: artifact, isTimed: false)
        // Another call may have created it during the await.
        if let cached, cached.artifact == artifact { return cached.painter }
        cached?.painter.close()
        let painter = Painter(artifact: artifact, engine: engine, suffix: suffix)
        cached = CachedPainter(artifact: artifact, painter: painter)
        return painter
    }
}

/// State of a painting by optimization, or in tiles.
struct PaintUpdate: Sendable {
    /// Number of the iteration, from 1, or of tiles that are done.
    let done: Int
    let total: Int
    /// Picture with the lowest loss so far; nil for tiles.
    let preview: CGImage?
    /// Estimate of the time that is left; nil for iterations.
    let secondsLeft: Int?
}

/// A painting for the screen, and what it was painted with, in one line.
struct PaintedImage: Sendable {
    let image: CGImage
    let note: String
}

/// Style inputs that an artifact supports.
struct StyleInputs: Sendable {
    let isFixedStyle: Bool
    let acceptsPictures: Bool
    /// Number of iterations where none is named; nil for networks that paint at once.
    let defaultIterations: Int?
    /// Whether photos are painted at full size.
    let hasTiles: Bool
    /// Packed style codes by name.
    let codes: [String: [Float]]
    /// Thumbnails of the styles that have one, by name.
    let thumbnails: [String: ImagePhoto]
}
