extension FileFact {
    /// Whether the file runs pictures of a size.
    public func takes(_ other: SizeFact) -> Bool {
        sizes.isEmpty ? size == nil || size == other : sizes.contains(other)
    }

    /// The sizes it can be asked to run; nil is any.
    public var choices: [SizeFact?] {
        sizes.isEmpty ? [size] : sizes
    }

    /// What it is held to on a device: the least PSNR that any runner of it was held to.
    ///
    /// Pictures of 8 bits cannot come nearer than 59 dB to a float one, and are held to 48.
    public var deviceAllowedDb: Double {
        let least = parity.map(\.allowedDb).min() ?? 0
        return outputs.first?.dtype == .uint8 ? min(least, Self.roundedDb) : least
    }

    private static let roundedDb = 48.0

    /// Whether it paints in one style of its own.
    public var hasStyleOfItsOwn: Bool {
        role == .stylize && inputs.count == 1
    }
}
