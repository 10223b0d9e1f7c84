// Signatures of Apple's UniformTypeIdentifiers, as far as the harness uses them.
public struct UTType: Hashable, Sendable {
    public var identifier: String { "" }
    public static let jpeg = UTType()
    public static let folder = UTType()
}
