import Foundation

/// Parity check: compares the outputs of a file on this device with the golden ones of its probe.
enum ProbeCheck {
    /// Return the parity of a cell: the PSNR of its worst output, and the largest error of any.
    static func parity(of cell: JobCell, outputs: Tensors, probe: Tensors) throws -> ParityFact {
        let all = try cell.outputs.map { try psnr(of: $0, outputs: outputs, probe: probe) }
        guard let worst = all.map(\.db).min(), let error = all.map(\.maxAbsError).max() else {
            throw EngineError.failed("the file has no outputs")
        }
        return ParityFact(
            runner: cell.reportedRunner,
            metric: .psnr,
            measuredDb: (worst * 100).rounded() / 100,
            allowedDb: cell.allowedDb,
            maxAbsError: threeDigits(error),
            probes: 1
        )
    }

    private static func psnr(
        of output: TensorFact, outputs: Tensors, probe: Tensors
    ) throws -> PeakSignalToNoise {
        guard let expected = probe[output.name] else {
            throw EngineError.failed("the probe has no tensor \(output.name)")
        }
        guard let actual = outputs[output.name] else {
            throw EngineError.failed("the file returned no tensor \(output.name)")
        }
        guard actual.shape == expected.shape else {
            throw EngineError.failed(
                "the file returned \(actual.shape) for \(output.name), expected \(expected.shape)"
            )
        }
        return PeakSignalToNoise(
            output: actual.values, reference: expected.values, peak: output.kind == .image ? 1 : nil
        )
    }

    private static func threeDigits(_ number: Double) -> Double {
        Double(String(format: "%.3g", number)) ?? number
    }
}

extension ParityFact {
    /// Whether the file passed.
    var passes: Bool { measuredDb >= allowedDb }

    /// The measured and the allowed PSNR, for messages.
    var summary: String {
        "\(measuredDb.shortText) dB on the probe, at least \(allowedDb.shortText) dB allowed"
    }
}

extension Double {
    /// The number with at most six significant digits.
    var shortText: String { String(format: "%.6g", self) }
}
