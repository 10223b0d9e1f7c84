@preconcurrency import CoreGraphics
import StyleHarness

/// A painting as the screen shows it.
struct PaintedImage: Sendable {
    let image: CGImage
    let painting: Painting
}
