/// How an output is held against the one that was expected.
public enum ParityMetric: String, Codable, CaseIterable, Hashable, Sendable {
    case psnr
}
