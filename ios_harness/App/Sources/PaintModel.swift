import CoreGraphics
import Foundation
import Observation
import StyleHarness
import StyleHarnessCoreML

/// Model of the Paint screen: its settings and the painting.
@MainActor
@Observable
final class PaintModel {
    let artifact: Artifact
    private(set) var styleInputs: StyleInputs?
    private(set) var painted: PaintedImage?
    private(set) var errorMessage: String?
    private(set) var isBusy = false
    /// State of a painting by optimization, or in tiles, that is in progress.
    private(set) var update: PaintUpdate?

    var photo: ImagePhoto?
    var stylePicture: ImagePhoto?
    var firstStyle: String?
    var secondStyle: String?
    /// Weight of the second style, 0..1.
    var blend = 0.0
    var strength = 1.0
    /// Whether photos larger than the file are painted at full size, where the artifact can.
    var isFullSize = true
    /// When the photo was taken, if it is a frame of the camera, which is scaled to the file.
    var frameSeconds: Double?
    /// How long statistics of frames are averaged, 0..1, where the artifact has the files.
    var stability = SmoothedStatistics.defaultStability
    /// Number of iterations of networks that paint by optimization.
    var iterations = 100
    var units = ComputeUnits.all

    private let service: InferenceService
    private let cancellation = CancellationFlag()
    private var isStale = false

    init(artifact: Artifact, service: InferenceService) {
        self.artifact = artifact
        self.service = service
    }

    /// Names of the packed styles.
    var names: [String] { (styleInputs?.codes.keys).map { $0.sorted() } ?? [] }

    /// Layout of the network's style codes; nil in older artifacts.
    var codeLayout: CodeLayoutFact? { artifact.manifest.network.codeLayout }

    /// Whether codes of the network can be blended.
    var canBlend: Bool { codeLayout.map { $0.blending != Blending.none } ?? true }

    /// Whether pictures are painted by many iterations.
    var isOptimization: Bool { styleInputs?.defaultIterations != nil }

    /// Whether photos are painted at full size; nil where this is not known, or pictures iterated.
    var hasTiles: Bool? { isOptimization ? nil : styleInputs?.hasTiles }

    /// Return the thumbnail of a style; nil where there is none.
    func thumbnail(of name: String) -> CGImage? { styleInputs?.thumbnails[name]?.image }

    /// Load the style inputs of the artifact.
    func load() async {
        do {
            let styleInputs = try await service.styleInputs(of: artifact)
            self.styleInputs = styleInputs
            iterations = styleInputs.defaultIterations ?? iterations
            firstStyle = firstStyle ?? names.first
        } catch {
            errorMessage = error.localizedDescription
        }
    }

    /// Use a picture file as the photo or as the style, and paint.
    func use(_ data: Data?, asStyle: Bool) async {
        guard let data else { return }
        do {
            let picture = try await Task.detached { try ImagePhoto(data: data) }.value
            if asStyle {
                stylePicture = picture
                firstStyle = nil
            } else {
                photo = picture
                frameSeconds = nil
            }
            await paint()
        } catch {
            errorMessage = error.localizedDescription
        }
    }

    /// Paint with the current settings; calls during a painting are merged into one repetition,
    /// for which an optimization or a painting in tiles is cut short.
    func paint() async {
        guard !isBusy else {
            isStale = true
            cancellation.isCancelled = true
            return
        }
        isBusy = true
        defer { (isBusy, update) = (false, nil) }
        repeat {
            isStale = false
            await paintOnce()
        } while isStale
    }

    /// Stop an optimization after the iteration in progress, whose best picture is shown; or a
    /// painting in tiles after the tile in progress, without a picture.
    func stop() {
        cancellation.isCancelled = true
    }

    private func paintOnce() async {
        guard let photo else { return }
        var options = PaintOptions()
        options.strength = Float(strength)
        options.iterations = iterations
        options.settings = [ComputeUnits.setting: units.rawValue]
        cancellation.isCancelled = false
        let cancellation = self.cancellation
        do {
            if let frameSeconds {
                painted = try await service.paintFrame(
                    photo, with: artifact, style: try style(), options: options,
                    stability: stability, at: frameSeconds
                )
                errorMessage = nil
                return
            }
            painted = try await service.paint(
                photo, with: artifact, style: try style(), options: options,
                isFullSize: isFullSize
            ) { update in
                Task { @MainActor [weak self] in self?.show(update) }
                return !cancellation.isCancelled
            }
            errorMessage = nil
        } catch is CancellationError {
            errorMessage = nil
        } catch {
            errorMessage = error.localizedDescription
        }
    }

    private func show(_ update: PaintUpdate) {
        // The last updates may arrive after the painting.
        if isBusy { self.update = update }
    }

    private func style() throws -> StyleChoice {
        if styleInputs?.isFixedStyle ?? false { return .fixed }
        guard let codes = styleInputs?.codes, let firstStyle, let first = codes[firstStyle] else {
            guard let stylePicture else { throw EngineError.failed("Choose a style.") }
            return .picture(stylePicture)
        }
        guard let secondStyle, let second = codes[secondStyle], blend > 0 else {
            return .code(first)
        }
        let blended = try StyleBlend.blended(
            [first, second], weights: [1 - blend, blend], network: artifact.manifest.network
        )
        guard let blended else {
            throw EngineError.failed("These styles cannot be blended.")
        }
        return .code(blended)
    }
}
