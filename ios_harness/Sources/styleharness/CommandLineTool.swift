import Foundation
import StyleHarness
import StyleHarnessCoreML
import StyleHarnessFake

/// Verifies and measures artifacts without the app: with Core ML on a Mac, elsewhere as a dry run.
struct CommandLineTool {
    private static let usage = """
        usage: styleharness check ARTIFACT
               styleharness bench ARTIFACT [--job JOB.json] [-o REPORT.json] [--fake]
        example: styleharness bench adain-lite-coreml-fp16 -o mac.json
        """

    let arguments: [String]

    /// Run the command and return its exit code: 0 success, 2 bad usage or artifact, 4 no engine.
    func run() async -> Int32 {
        do {
            switch arguments.first {
            case "check": try check()
            case "bench": try await bench()
            default: throw UsageError(description: Self.usage)
            }
            return 0
        } catch let error as EngineError {
            log("\(error)")
            return 4
        } catch {
            log("\(error)")
            return 2
        }
    }

    private func check() throws {
        let artifact = try Artifact(folder: folder())
        try artifact.check()
        for file in artifact.manifest.files {
            print("\(file.path): \(file.role) \(file.precision.rawValue) \(file.sizeBytes) bytes")
        }
        print("\(artifact.manifest.network.name): all files match the manifest")
    }

    private func bench() async throws {
        let artifact = try Artifact(folder: folder())
        let suffix = arguments.contains("--fake") ? "" : Self.suffix(for: artifact.manifest)
        try artifact.check(where: { $0.hasSuffix(suffix) || $0.hasSuffix(".safetensors") })
        let job =
            try value(of: "--job").map { try JobFact(json: Data(contentsOf: $0)) }
            ?? .local(for: artifact.manifest, suffix: suffix, version: "styleharness")
        guard !job.cells.isEmpty else {
            throw UsageError(description: "\(artifact.name) has no \(suffix) file with a probe")
        }
        let report = try await reporter(artifact, job).report(of: job, in: artifact).encoded()
        if let output = value(of: "-o") {
            try report.write(to: output, options: .atomic)
        } else {
            FileHandle.standardOutput.write(report)
        }
    }

    private func reporter(_ artifact: Artifact, _ job: JobFact) async throws -> Reporter {
        if arguments.contains("--fake") {
            let engine = FakeEngine(artifact: artifact.folder)
            return Reporter(
                measurement: Measurement(engine: engine, host: TerminalHost()),
                machine: TerminalHost.machine
            ) { StateFact() }
        }
        #if canImport(CoreML)
        let engine = await AppleEngine.prepared(
            for: job.cells, in: artifact, isTimed: true, progress: log
        )
        return Reporter(
            measurement: Measurement(engine: engine, host: DeviceHost(progress: { log($0) })),
            machine: DeviceFacts.machine, isDebugBuild: DeviceFacts.isDebugBuild
        ) { DeviceFacts.state }
        #else
        throw EngineError.unavailable(
            "there is no Core ML on this system: type --fake for a dry run"
        )
        #endif
    }

    private static func suffix(for manifest: Manifest) -> String {
        #if canImport(CoreML)
        AppleEngine.suffix(for: manifest)
        #else
        ".mlpackage"
        #endif
    }

    private func folder() throws -> URL {
        guard arguments.count > 1, !arguments[1].hasPrefix("-") else {
            throw UsageError(description: Self.usage)
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

/// Wrong arguments; the description says what to type.
struct UsageError: Error, CustomStringConvertible {
    let description: String
}

/// Print a line that is not a result, to standard error.
@Sendable func log(_ line: String) {
    FileHandle.standardError.write(Data("\(line)\n".utf8))
}
