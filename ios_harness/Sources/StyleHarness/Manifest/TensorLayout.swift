/// The order of a tensor's axes; `pixels` is that of a pixel buffer of the platform.
public enum TensorLayout: String, Codable, CaseIterable, Hashable, Sendable {
    case n = "N"
    case nchw = "NCHW"
    case nhwc = "NHWC"
    case nk = "NK"
    case pixels
}
