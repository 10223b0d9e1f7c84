/// The style to paint in.
public enum StyleChoice: Sendable {
    /// That of the network itself.
    case own
    /// A code, packed or blended.
    case code([Float])
    /// That of a picture.
    case picture(any Photo)
}
