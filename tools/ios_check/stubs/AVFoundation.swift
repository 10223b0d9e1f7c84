// Signatures of Apple's AVFoundation, as far as the harness uses them; written from its documentation.
@_exported import CoreGraphics
@_exported import Dispatch
@_exported import Foundation

public struct AVMediaType: Sendable { public static let video = AVMediaType() }
open class AVCaptureDevice {
    public struct DeviceType: Sendable { public static let builtInWideAngleCamera = DeviceType() }
    public enum Position: Int, Sendable { case back }
    public class func requestAccess(for mediaType: AVMediaType) async -> Bool { true }
    public class func `default`(
        _ type: DeviceType, for mediaType: AVMediaType?, position: Position
    ) -> AVCaptureDevice? { nil }
}
open class AVCaptureInput {}
open class AVCaptureDeviceInput: AVCaptureInput {
    public init(device: AVCaptureDevice) throws {}
}
open class AVCaptureConnection {
    public var videoRotationAngle: CGFloat = 0
    public func isVideoRotationAngleSupported(_ angle: CGFloat) -> Bool { true }
}
open class AVCaptureOutput {
    public init() {}
    public func connection(with mediaType: AVMediaType) -> AVCaptureConnection? { nil }
}
public final class CMSampleBuffer {}
public struct CMTime: Sendable {
    public var seconds: Double { 0 }
}
public func CMSampleBufferGetPresentationTimeStamp(_: CMSampleBuffer) -> CMTime { CMTime() }
public func CMSampleBufferGetImageBuffer(_: CMSampleBuffer) -> CVImageBuffer? { nil }
public protocol AVCaptureVideoDataOutputSampleBufferDelegate: NSObjectProtocol {
    func captureOutput(
        _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer,
        from connection: AVCaptureConnection)
}
open class AVCaptureVideoDataOutput: AVCaptureOutput {
    public var alwaysDiscardsLateVideoFrames = true
    public func setSampleBufferDelegate(
        _ delegate: (any AVCaptureVideoDataOutputSampleBufferDelegate)?, queue: DispatchQueue?
    ) {}
}
open class AVCaptureSession {
    public struct Preset: Sendable { public static let hd1280x720 = Preset() }
    public init() {}
    public var sessionPreset = Preset.hd1280x720
    public func startRunning() {}
    public func stopRunning() {}
    public func beginConfiguration() {}
    public func commitConfiguration() {}
    public func canAddInput(_ input: AVCaptureInput) -> Bool { true }
    public func canAddOutput(_ output: AVCaptureOutput) -> Bool { true }
    public func addInput(_ input: AVCaptureInput) {}
    public func addOutput(_ output: AVCaptureOutput) {}
}
