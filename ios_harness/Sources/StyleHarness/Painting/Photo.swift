/// A picture of any size that can be scaled; what decodes pictures is the platform's.
public protocol Photo: Sendable {
    /// Of the picture, upright.
    var size: PictureSize { get }

    /// Return the whole picture at a size.
    func scaled(to size: PictureSize) throws -> RGBPicture
    /// Return the middle of the picture that has a size's proportions, at that size.
    func middle(at size: PictureSize) throws -> RGBPicture
}
