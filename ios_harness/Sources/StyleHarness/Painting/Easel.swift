import Foundation

/// One loaded file that paints or encodes.
final class Easel {
    let file: FileFact
    let session: any Session
    /// On the artifact's probe; nil where it holds none for this size.
    let parity: ParityFact?

    /// Load a file and prove it.
    ///
    /// - Throws: `EngineError` where it cannot run, or does not compute what its network does.
    init(
        file: FileFact, frame: PictureSize?, artifact: Artifact, engine: any Engine,
        settings: [String: String]
    ) throws {
        self.file = file
        let probe = artifact.manifest.probes.first {
            $0.role == file.role && file.takes($0.size)
                && (frame == nil || PictureSize($0.size) == frame)
        }
        let size = probe?.size ?? SizeFact(height: frame?.height ?? 1, width: frame?.width ?? 1)
        let wish = CellWish(
            subject: SubjectFact(file, of: artifact.manifest), runner: "ios", requested: settings,
            size: size, probe: probe?.path ?? "", inputs: file.inputs, outputs: file.outputs,
            allowedDb: file.deviceAllowedDb
        )
        session = try engine.open(artifact.url(of: file.path), wish: wish)
        guard let probe else {
            parity = nil
            return
        }
        do {
            let tensors = try SafetensorsFile.tensors(
                of: Data(contentsOf: artifact.url(of: probe.path))
            )
            try session.feed(tensors.filter { name, _ in file.inputs.contains { $0.name == name } })
            try session.invoke()
            let found = try ProbeParity.fact(of: wish, outputs: session.fetch(), probe: tensors)
            guard found.measuredDb >= found.allowedDb else {
                throw EngineError.failed(
                    "\(file.path) computes something else on this device: "
                        + "\(WarmUpRule.plain(found.measuredDb)) dB on its probe, at least "
                        + "\(WarmUpRule.plain(found.allowedDb)) dB allowed; try other compute units"
                )
            }
            parity = found
        } catch {
            session.close()
            throw error
        }
    }

    /// Return what the file gives for some inputs.
    func run(_ inputs: Tensors) throws -> Tensor {
        try session.feed(inputs)
        try session.invoke()
        guard let name = file.outputs.first?.name, let output = try session.fetch()[name] else {
            throw EngineError.failed("\(file.path) gives nothing")
        }
        guard output.values.allSatisfy(\.isFinite) else {
            throw EngineError.failed("\(file.path) computes NaN or infinite values of this picture")
        }
        return output
    }

    /// Return a painted picture of the same size.
    func paint(_ picture: RGBPicture, inputs: Tensors) throws -> RGBPicture {
        let content = file.inputs.first { $0.kind == .image && $0.name != "style" }
        var all = inputs
        all[content?.name ?? "content"] = picture.tensor
        return try RGBPicture(tensor: run(all))
    }
}
