import Foundation

/// A loaded file that has passed its probe on this device.
final class LoadedModel {
    let file: FileFact
    let session: any Session
    /// Parity on the probe; nil if the artifact has none for this size.
    let parity: ParityFact?

    /// Load a file and check it on its probe.
    ///
    /// - Throws: `EngineError` if it cannot run or fails its probe.
    init(
        file: FileFact, frame: PictureSize?, artifact: Artifact, engine: any Engine,
        settings: [String: String]
    ) throws {
        self.file = file
        let probe = artifact.manifest.probes.first {
            $0.role == file.role && file.accepts($0.size)
                && (frame == nil || PictureSize($0.size) == frame)
        }
        let size = probe?.size ?? SizeFact(height: frame?.height ?? 1, width: frame?.width ?? 1)
        let cell = JobCell(
            file, of: artifact.manifest, size: size, probe: probe?.path ?? "", settings: settings
        )
        let session = try engine.open(artifact.url(of: file.path), cell: cell)
        self.session = session
        do {
            parity = try probe.map { probe in
                try Self.parity(of: cell, on: artifact.url(of: probe.path), session: session)
            }
        } catch {
            session.close()
            throw error
        }
    }

    /// Return the first output for the given inputs.
    func run(_ inputs: Tensors) throws -> Tensor {
        try session.feed(inputs)
        try session.invoke()
        guard let name = file.outputs.first?.name, let output = try session.fetch()[name] else {
            throw EngineError.failed("\(file.path) returned no output")
        }
        guard output.values.allSatisfy(\.isFinite) else {
            throw EngineError.failed("\(file.path) returned NaN or infinity for this picture")
        }
        return output
    }

    /// Return the loss of an image and its gradient, of a `step` file; neither need be finite.
    ///
    /// - Parameter inputs: all inputs but the image.
    func step(_ image: Tensor, inputs: Tensors) throws -> (loss: Double, gradient: Tensor) {
        let name = file.inputs.first { $0.kind == .image }?.name
        let outputs = try withAutoreleasePool {
            try session.feed(inputs.merging([name ?? "": image]) { _, image in image })
            try session.invoke()
            return try session.fetch()
        }
        func output(_ kind: TensorKind) throws -> Tensor {
            guard let name = file.outputs.first(where: { $0.kind == kind })?.name,
                let tensor = outputs[name]
            else { throw EngineError.failed("\(file.path) returned no \(kind.rawValue)") }
            return tensor
        }
        let (loss, gradient) = (try output(.loss), try output(.gradient))
        guard let value = loss.values.first, gradient.shape == image.shape else {
            throw EngineError.failed(
                "\(file.path) returned a gradient \(gradient.shape) of an image \(image.shape)"
            )
        }
        return (Double(value), gradient)
    }

    /// Return a picture stylized, at its size, or a multiple where the file enlarges.
    func paint(_ picture: RGBPicture, inputs: Tensors) throws -> RGBPicture {
        let content = file.inputs.first { $0.kind == .image && $0.name != "style" }
        var all = inputs
        all[content?.name ?? "content"] = picture.tensor
        return try RGBPicture(tensor: run(all))
    }

    private static func parity(
        of cell: JobCell, on url: URL, session: any Session
    ) throws -> ParityFact {
        let probe = try SafetensorsFile.tensors(of: Data(contentsOf: url))
        try session.feed(probe.filter { name, _ in cell.inputs.contains { $0.name == name } })
        try session.invoke()
        let parity = try ProbeCheck.parity(of: cell, outputs: session.fetch(), probe: probe)
        guard parity.passes else {
            throw EngineError.failed(
                "\(cell.subject.path) computes wrong values on this device: \(parity.summary); "
                    + "try other compute units"
            )
        }
        return parity
    }
}
