@preconcurrency import AVFoundation
import StyleHarness
import StyleHarnessCoreML
import VideoToolbox

/// Pictures of the camera on the back.
///
/// What it holds is set before the camera runs, and used on its queue alone.
final class CameraFeed: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate,
    @unchecked Sendable
{
    private static let portrait = 90.0

    private let session = AVCaptureSession()
    private let queue = DispatchQueue(label: "org.styleexport.harness.camera")
    private let frames: AsyncStream<ImagePhoto>.Continuation

    private init(_ frames: AsyncStream<ImagePhoto>.Continuation) {
        self.frames = frames
    }

    /// Return pictures until whoever takes them stops; asks for the camera.
    ///
    /// - Throws: `EngineError` where there is none, or the user does not allow it.
    static func frames() async throws -> AsyncStream<ImagePhoto> {
        guard await AVCaptureDevice.requestAccess(for: .video) else {
            throw EngineError.unavailable("the camera is not allowed: see Settings, StyleExport")
        }
        let (stream, continuation) = AsyncStream.makeStream(
            of: ImagePhoto.self, bufferingPolicy: .bufferingNewest(1)
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
        if let image { frames.yield(ImagePhoto(image: image)) }
    }

    private func configure() throws {
        guard
            let camera = AVCaptureDevice.default(
                .builtInWideAngleCamera, for: .video, position: .back
            )
        else { throw EngineError.unavailable("this device has no camera on its back") }
        let input = try AVCaptureDeviceInput(device: camera)
        let output = AVCaptureVideoDataOutput()
        output.alwaysDiscardsLateVideoFrames = true
        output.setSampleBufferDelegate(self, queue: queue)
        session.beginConfiguration()
        defer { session.commitConfiguration() }
        session.sessionPreset = .hd1280x720
        guard session.canAddInput(input), session.canAddOutput(output) else {
            throw EngineError.unavailable("the camera is in use")
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
