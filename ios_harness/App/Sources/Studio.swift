import CoreGraphics
import Dispatch
import StyleHarness
import StyleHarnessCoreML

/// Owns the engine and all loaded models; nothing else touches them.
///
/// It has a thread of its own: a measurement holds it for minutes, which a thread of Swift's shared
/// pool must not be.
actor Studio {
    private struct Canvas {
        let artifact: Artifact
        let painter: Painter
    }

    private let queue = DispatchSerialQueue(
        label: "org.styleexport.harness.studio", qos: .userInitiated
    )
    private var canvas: Canvas?

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        queue.asUnownedSerialExecutor()
    }

    /// Return a photo painted with an artifact's files.
    func paint(
        _ photo: ImagePhoto, with artifact: Artifact, style: StyleChoice, options: PaintOptions
    ) async throws -> PaintedImage {
        let painter = try await painter(of: artifact)
        let painting = try painter.paint(photo, style: style, options: options)
        guard let image = PictureCoder.image(of: painting.picture) else {
            throw EngineError.outOfMemory("the painting cannot be shown")
        }
        return PaintedImage(image: image, painting: painting)
    }

    /// Return what an artifact's files take as a style.
    func styleKinds(of artifact: Artifact) async throws -> StyleKinds {
        let painter = try await painter(of: artifact)
        return StyleKinds(
            hasItsOwn: painter.hasStyleOfItsOwn, takesPictures: painter.takesPictures,
            codes: try artifact.styleCodes().mapValues(\.values)
        )
    }

    /// Measure a job; whatever was loaded to paint is given back first.
    func measure(
        _ job: JobFact, in artifact: Artifact, host: DeviceHost
    ) async -> LatencyReport {
        canvas?.painter.close()
        canvas = nil
        let engine = await CoreMLEngine.prepared(
            for: job.cells, in: artifact, isTimed: true, say: { host.say($0) }
        )
        let reporter = Reporter(
            measurement: Measurement(engine: engine, host: host), machine: DeviceFacts.machine,
            state: { DeviceFacts.state }
        )
        return reporter.report(of: job, in: artifact)
    }

    private func painter(of artifact: Artifact) async throws -> Painter {
        if let canvas, canvas.artifact == artifact { return canvas.painter }
        let wishes = ComputeUnits.allCases.flatMap { units in
            JobFact.own(
                of: artifact.manifest, suffix: CoreMLEngine.suffix, version: "",
                settings: [ComputeUnits.setting: units.rawValue]
            ).cells
        }
        let engine = await CoreMLEngine.prepared(for: wishes, in: artifact, isTimed: false)
        // Another call may have been here while this one waited.
        if let canvas, canvas.artifact == artifact { return canvas.painter }
        canvas?.painter.close()
        let painter = Painter(artifact: artifact, engine: engine, suffix: CoreMLEngine.suffix)
        canvas = Canvas(artifact: artifact, painter: painter)
        return painter
    }
}
