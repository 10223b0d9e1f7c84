import Foundation

/// Does a file compute here what its network computes? Measured on the artifact's probe.
enum ProbeParity {
    /// Return the parity of a cell, as the report has it.
    static func fact(of wish: CellWish, outputs: Tensors, probe: Tensors) throws -> ParityFact {
        guard let output = wish.outputs.first, let wanted = probe[output.name] else {
            throw EngineError.failed("the probe holds no tensor \(wish.outputs.first?.name ?? "")")
        }
        guard let given = outputs[output.name] else {
            throw EngineError.failed("the file gives no tensor \(output.name)")
        }
        guard given.shape == wanted.shape else {
            throw EngineError.failed("the file gave \(given.shape), expected \(wanted.shape)")
        }
        let found = PeakSignalToNoise(
            output: given.values, reference: wanted.values, peak: output.kind == .image ? 1 : nil
        )
        return ParityFact(
            runner: wish.reportedRunner,
            metric: .psnr,
            measuredDb: (found.db * 100).rounded() / 100,
            allowedDb: wish.allowedDb,
            maxAbsError: threeDigits(found.maxAbsError),
            probes: 1
        )
    }

    private static func threeDigits(_ number: Double) -> Double {
        Double(String(format: "%.3g", number)) ?? number
    }
}
