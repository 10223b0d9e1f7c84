import CoreGraphics
import Foundation
import Observation
import StyleHarness
import StyleHarnessCoreML

/// What the paint screen shows, and what was chosen on it.
@MainActor
@Observable
final class PaintModel {
    let artifact: Artifact
    private(set) var kinds: StyleKinds?
    private(set) var painted: PaintedImage?
    private(set) var trouble: String?
    private(set) var isBusy = false

    var photo: ImagePhoto?
    var stylePicture: ImagePhoto?
    var first: String?
    var second: String?
    /// Share of the second style, 0..1.
    var blend = 0.0
    var strength = 1.0
    var isTiled = false
    var units = ComputeUnits.all

    private let studio: Studio
    private var isStale = false

    init(artifact: Artifact, studio: Studio) {
        self.artifact = artifact
        self.studio = studio
    }

    /// Names of the packed styles.
    var names: [String] { (kinds?.codes.keys).map { $0.sorted() } ?? [] }

    /// Learn what the artifact takes as a style.
    func load() async {
        do {
            let kinds = try await studio.styleKinds(of: artifact)
            self.kinds = kinds
            first = first ?? names.first
        } catch {
            trouble = error.localizedDescription
        }
    }

    /// Take a picture file as the photo, or as the style.
    func take(_ data: Data?, asStyle: Bool) async {
        guard let data else { return }
        do {
            let picture = try await Task.detached { try ImagePhoto(data: data) }.value
            if asStyle {
                stylePicture = picture
                first = nil
            } else {
                photo = picture
            }
            await paint()
        } catch {
            trouble = error.localizedDescription
        }
    }

    /// Paint what is chosen; while a painting is made, only the last of further calls counts.
    func paint() async {
        guard !isBusy else {
            isStale = true
            return
        }
        isBusy = true
        defer { isBusy = false }
        repeat {
            isStale = false
            await paintOnce()
        } while isStale
    }

    private func paintOnce() async {
        guard let photo else { return }
        var options = PaintOptions()
        options.strength = Float(strength)
        options.isTiled = isTiled
        options.settings = [ComputeUnits.setting: units.rawValue]
        do {
            painted = try await studio.paint(
                photo, with: artifact, style: try style(), options: options
            )
            trouble = nil
        } catch {
            trouble = error.localizedDescription
        }
    }

    private func style() throws -> StyleChoice {
        if kinds?.hasItsOwn ?? false { return .own }
        guard let codes = kinds?.codes, let first, let one = codes[first] else {
            guard let stylePicture else { throw EngineError.failed("choose a style") }
            return .picture(stylePicture)
        }
        guard let second, let other = codes[second], blend > 0 else { return .code(one) }
        guard let mixed = StyleBlend.blended([one, other], weights: [1 - blend, blend]) else {
            throw EngineError.failed("these styles cannot be blended")
        }
        return .code(mixed)
    }
}
