import Observation
import StyleHarnessCoreML

/// The camera while it is used: asks when it is first used, and gives the newest picture only.
@MainActor
@Observable
final class CameraModel {
    private(set) var isRunning = false
    private(set) var trouble: String?
    private var work: Task<Void, Never>?

    /// Hand on pictures, each once the one before it is done with.
    func start(_ take: @escaping @MainActor (ImagePhoto) async -> Void) {
        guard work == nil else { return }
        isRunning = true
        trouble = nil
        work = Task {
            do {
                for await frame in try await CameraFeed.frames() {
                    await take(frame)
                }
            } catch {
                trouble = error.localizedDescription
            }
            isRunning = false
            work = nil
        }
    }

    /// Let go of the camera.
    func stop() {
        work?.cancel()
    }
}
