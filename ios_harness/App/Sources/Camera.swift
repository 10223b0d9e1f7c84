@preconcurrency import AVFoundation
import Observation
import StyleHarness
import StyleHarnessCoreML
import VideoToolbox

/// A frame of the camera.
struct CameraFrame: Sendable {
    let photo: ImagePhoto
    /// When it was taken.
    let seconds: Double
}

/// Frames of the back camera.
///
/// Its properties are set before the camera starts, and used only on its queue after that.
final class CameraFeed: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate,
    @unchecked Sendable
{
    private static let portrait = 90.0

    private let session = AVCaptureSession()
    private let queue = DispatchQueue(label: "org.styleexport.harness.camera")
    private let frames: AsyncStream<CameraFrame>.Continuation

    private init(_ frames: AsyncStream<CameraFrame>.Continuation) {
        self.frames = frames
    }

    /// Return a stream of frames; asks for permission on first use. The camera stops with the stream.
    ///
    /// - Throws: `EngineError` if there is no camera or the user denies access.
    static func frames() async throws -> AsyncStream<CameraFrame> {
        guard await AVCaptureDevice.requestAccess(for: .video) else {
            throw EngineError.unavailable("no access to the camera: allow it in Settings")
        }
        let (stream, continuation) = AsyncStream.makeStream(
            of: CameraFrame.self, bufferingPolicy: .bufferingNewest(1)
        )
        let feed = CameraFeed(continuation)
        try feed.configure()
        continuation.onTermination = { _ in feed.queue.async { feed.session.stopRunning() } }
        feed.queue.async { feed.session.startRunning() }
        return stream
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer,
        from connection: AVCaptureConnection
    ) {
        var image: CGImage?
        guard let buffer = CMSampleBufferGetImageBuffer(sampleBuffer) else { return }
        VTCreateCGImageFromCVPixelBuffer(buffer, options: nil, imageOut: &image)
        let seconds = CMSampleBufferGetPresentationTimeStamp(sampleBuffer).seconds
        if let image {
            frames.yield(CameraFrame(photo: ImagePhoto(image: image), seconds: seconds))
        }
    }

    private func configure() throws {
        guard
            let camera = AVCaptureDevice.default(
                .builtInWideAngleCamera, for: .video, position: .back
            )
        else { throw EngineError.unavailable("this device has no back camera") }
        let input = try AVCaptureDeviceInput(device: camera)
        let output = AVCaptureVideoDataOutput()
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: queue)
        session.beginConfiguration()
        defer { session.commitConfiguration() }
        session.sessionPreset = .hd1280x720
        guard session.canAddInput(input), session.canAddOutput(output) else {
            throw EngineError.unavailable("the camera is in use by another app")
        }
        session.addInput(input)
        session.addOutput(output)
        if let connection = output.connection(with: .video),
            connection.isVideoRotationAngleSupported(Self.portrait)
        {
            connection.videoRotationAngle = Self.portrait
        }
    }
}

/// State of the camera; delivers only the newest frame.
@MainActor
@Observable
final class CameraModel {
    private(set) var isRunning = false
    private(set) var errorMessage: String?
    private var task: Task<Void, Never>?

    /// Start the camera; a frame is delivered when the previous one has been handled.
    func start(_ handle: @escaping @MainActor (CameraFrame) async -> Void) {
        guard task == nil else { return }
        isRunning = true
        errorMessage = nil
        task = Task {
            do {
                for await frame in try await CameraFeed.frames() {
                    await handle(frame)
                }
            } catch {
                errorMessage = error.localizedDescription
            }
            isRunning = false
            task = nil
        }
    }

    /// Stop the camera.
    func stop() {
        task?.cancel()
    }
}
