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

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        queue.asUnownedSerialExecutor()
    }

    /// Return a photo stylized by an artifact.
    ///
    /// - Parameter report: receives the state of an optimization after each iteration, and returns
    ///   whether to go on.
    func paint(
        _ photo: ImagePhoto, with artifact: Artifact, style: StyleChoice, options: PaintOptions,
        report: @Sendable (PaintUpdate) -> Bool
    ) async throws -> PaintedImage {
        let painter = try await painter(of: artifact)
        let painting = try painter.paint(photo, style: style, options: options) { progress in
            let preview = (try? progress.preview()).flatMap(PictureCoder.image)
            return report(PaintUpdate(progress: progress, preview: preview))
        }
        guard let image = PictureCoder.image(of: painting.picture) else {
            throw EngineError.outOfMemory("the painting does not fit into memory")
        }
        return PaintedImage(image: image, painting: painting)
    }

    /// Return the style inputs that an artifact supports.
    func styleInputs(of artifact: Artifact) async throws -> StyleInputs {
        let painter = try await painter(of: artifact)
        return StyleInputs(
            isFixedStyle: painter.isFixedStyle, acceptsPictures: painter.acceptsStylePictures,
            defaultIterations: painter.isOptimization ? painter.defaultIterations : nil,
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
        let engine = await CoreMLEngine.prepared(
            for: job.cells, in: artifact, isTimed: true, progress: { host.progress($0) }
        )
        let reporter = Reporter(
            measurement: Measurement(engine: engine, host: host), machine: DeviceFacts.machine,
            state: { DeviceFacts.state }
        )
        return reporter.report(of: job, in: artifact)
    }

    private func painter(of artifact: Artifact) async throws -> Painter {
        if let cached, cached.artifact == artifact { return cached.painter }
        let cells = ComputeUnits.allCases.flatMap { units in
            JobFact.local(
                for: artifact.manifest, suffix: CoreMLEngine.suffix, version: "",
                settings: [ComputeUnits.setting: units.rawValue]
            ).cells
        }
        let engine = await CoreMLEngine.prepared(for: cells, in: artifact, isTimed: false)
        // Another call may have created it during the await.
        if let cached, cached.artifact == artifact { return cached.painter }
        cached?.painter.close()
        let painter = Painter(artifact: artifact, engine: engine, suffix: CoreMLEngine.suffix)
        cached = CachedPainter(artifact: artifact, painter: painter)
        return painter
    }
}

/// State of a painting by optimization, and an image of it for the screen.
struct PaintUpdate: Sendable {
    let progress: PaintProgress
    let preview: CGImage?
}

/// A painting, and its image for the screen.
struct PaintedImage: Sendable {
    let image: CGImage
    let painting: Painting
}

/// Style inputs that an artifact supports.
struct StyleInputs: Sendable {
    let isFixedStyle: Bool
    let acceptsPictures: Bool
    /// Number of iterations where none is named; nil for networks that paint at once.
    let defaultIterations: Int?
    /// Packed style codes by name.
    let codes: [String: [Float]]
    /// Thumbnails of the styles that have one, by name.
    let thumbnails: [String: ImagePhoto]
}
