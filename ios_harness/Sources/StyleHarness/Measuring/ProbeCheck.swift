import Foundation

/// Parity check: compares the output of a file on this device with the golden output of its probe.
enum ProbeCheck {
    /// Return the parity of a cell.
    static func parity(of cell: JobCell, outputs: Tensors, probe: Tensors) throws -> ParityFact {
        guard let output = cell.outputs.first, let expected = probe[output.name] else {
            throw EngineError.failed("the probe has no tensor \(cell.outputs.first?.name ?? "")")
        }
        guard let actual = outputs[output.name] else {
            throw EngineError.failed("the file returned no tensor \(output.name)")
        }
        guard actual.shape == expected.shape else {
            throw EngineError.failed(
                "the file returned \(actual.shape), expected \(expected.shape)"
            )
        }
        let psnr = PeakSignalToNoise(
            output: actual.values, reference: expected.values, peak: output.kind == .image ? 1 : nil
        )
        return ParityFact(
            runner: cell.reportedRunner,
            metric: .psnr,
            measuredDb: (psnr.db * 100).rounded() / 100,
            allowedDb: cell.allowedDb,
            maxAbsError: threeDigits(psnr.maxAbsError),
            probes: 1
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
