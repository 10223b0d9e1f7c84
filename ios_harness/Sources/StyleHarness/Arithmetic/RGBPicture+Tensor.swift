extension RGBPicture {
    /// The picture as [1, 3, H, W] in 0..1.
    public var tensor: Tensor {
        let values = PixelFormat.harness.floats(
            ofRGB: bytes, height: size.height, width: size.width
        )
        return Tensor(shape: [1, 3, size.height, size.width], values: values)
    }

    /// The picture of a tensor [1, 3, H, W] in 0..1.
    ///
    /// - Throws: `EngineError` where the tensor is none.
    public init(tensor: Tensor) throws {
        guard tensor.shape.count == 4, tensor.shape[0] == 1, tensor.shape[1] == 3 else {
            throw EngineError.failed("expected a picture [1, 3, H, W], got \(tensor.shape)")
        }
        let size = PictureSize(height: tensor.shape[2], width: tensor.shape[3])
        let bytes = PixelFormat.harness.rgb(
            ofFloats: tensor.values, height: size.height, width: size.width
        )
        self.init(size: size, bytes: bytes)
    }
}
