/// A painted photo, and what painted it.
public struct Painting: Sendable {
    public let picture: RGBPicture
    /// The file that painted it, below the artifact.
    public let path: String
    /// Settings as the runtime reports them.
    public let effective: [String: String]
    /// How near the file came to its network on the artifact's probe, on this device.
    public let parity: ParityFact?
}
