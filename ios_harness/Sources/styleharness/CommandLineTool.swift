import Foundation
import StyleHarness
import StyleHarnessCoreML
import StyleHarnessFake

/// Checks and measures artifacts where there is no app: on a Mac with Core ML, elsewhere dry.
struct CommandLineTool {
    private static let usage = """
        usage: styleharness check ARTIFACT
               styleharness bench ARTIFACT [--job JOB.json] [-o REPORT.json] [--fake]
        example: styleharness bench adain-lite-coreml-fp16 -o mac.json
        """

    let arguments: [String]

    /// Run the command; return the exit code: 0 done, 2 a bad call or artifact, 4 nothing to run on.
    func run() async -> Int32 {
        do {
            switch arguments.first {
            case "check": try check()
            case "bench": try await bench()
            default: throw UsageError(reason: Self.usage)
            }
            return 0
        } catch let error as EngineError {
            talk("\(error)")
            return 4
        } catch {
            talk("\(error)")
            return 2
        }
    }

    private func check() throws {
        let artifact = try Artifact(folder: folder())
        try artifact.check()
        for file in artifact.manifest.files {
            print("\(file.path): \(file.role) \(file.precision.rawValue) \(file.sizeBytes) bytes")
        }
        print("\(artifact.manifest.network.name): all files are those of the manifest")
    }

    private func bench() async throws {
        let artifact = try Artifact(folder: folder())
        let suffix = arguments.contains("--fake") ? "" : ".mlpackage"
        try artifact.check(where: { $0.hasSuffix(suffix) || $0.hasSuffix(".safetensors") })
        let job =
            try value(of: "--job").map { try JobFact(json: Data(contentsOf: $0)) }
            ?? .own(of: artifact.manifest, suffix: suffix, version: "styleharness")
        guard !job.cells.isEmpty else {
            throw UsageError(reason: "\(artifact.name) holds no \(suffix) file with a probe")
        }
        let report = try await device(artifact, job).report(of: job, in: artifact).encoded()
        if let output = value(of: "-o") {
            try report.write(to: output, options: .atomic)
        } else {
            FileHandle.standardOutput.write(report)
        }
    }

    private func device(_ artifact: Artifact, _ job: JobFact) async throws -> Reporter {
        if arguments.contains("--fake") {
            let engine = FakeEngine(artifact: artifact.folder)
            return Reporter(
                measurement: Measurement(engine: engine, host: TerminalHost()),
                machine: TerminalHost.machine
            ) { StateFact() }
        }
        #if canImport(CoreML)
        let engine = await CoreMLEngine.prepared(
            for: job.cells, in: artifact, isTimed: true, say: talk
        )
        return Reporter(
            measurement: Measurement(engine: engine, host: DeviceHost(say: { talk($0) })),
            machine: DeviceFacts.machine
        ) { DeviceFacts.state }
        #else
        throw EngineError.unavailable(
            "there is no Core ML on this system: type --fake for a dry run"
        )
        #endif
    }

    private func folder() throws -> URL {
        guard arguments.count > 1, !arguments[1].hasPrefix("-") else {
            throw UsageError(reason: Self.usage)
        }
        return URL(filePath: arguments[1])
    }

    private func value(of option: String) -> URL? {
        guard let index = arguments.firstIndex(of: option), index + 1 < arguments.count else {
            return nil
        }
        return URL(filePath: arguments[index + 1])
    }
}

/// Say something that is no result.
@Sendable func talk(_ line: String) {
    FileHandle.standardError.write(Data("\(line)\n".utf8))
}
