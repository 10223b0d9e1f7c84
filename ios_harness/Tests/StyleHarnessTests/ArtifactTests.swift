#if canImport(CryptoKit)
import CryptoKit
#endif
import XCTest

@testable import StyleHarness

final class ArtifactTests: XCTestCase {
    private var folder = URL(filePath: "/")

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    func testAWholeArtifactIsRead() throws {
        let artifact = try Artifact(folder: ContractFolder.artifact)
        try artifact.check(where: ArtifactStore.isNeeded)
        XCTAssertEqual(artifact.name, "colour-transfer")
        let codes = try artifact.styleCodes()
        XCTAssertEqual(codes.keys.sorted(), ["dusk", "sea"])
        XCTAssertEqual(codes["sea"]?.shape, [1, 6])
    }

    func testAPackOfAnotherNetworkIsRefused() throws {
        let artifact = try Artifact(folder: copied())
        let header = #"{"sea":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#
        let length = Data([UInt8(header.utf8.count)]) + Data(count: 7)
        let pack = length + Data(header.utf8) + Data(count: 8)
        try pack.write(to: artifact.url(of: artifact.manifest.styles[0].path))
        XCTAssertThrowsError(try artifact.styleCodes()) { error in
            let words = "a code of another network: colour-transfer takes [1, 6]"
            XCTAssertTrue("\(error)".contains(words), "\(error)")
        }
    }

    func testAThumbnailMayBeMissingButNotAltered() throws {
        let copy = try copied()
        let artifact = try Artifact(folder: copy)
        let path = try XCTUnwrap(artifact.manifest.thumbnails["sea"])
        try Data("x".utf8).write(to: artifact.url(of: path))
        try assertRefused(copy, "was altered: its sha256 is")
        try FileManager.default.removeItem(at: artifact.url(of: path))
        try artifact.check(where: ArtifactStore.isNeeded)
    }

    func testAFolderWithoutAManifestIsNoArtifact() {
        XCTAssertThrowsError(try Artifact(folder: folder)) { error in
            XCTAssertTrue("\(error)".contains("expected a folder with a manifest.json"))
        }
    }

    func testFilesThatAreMissingOrAlteredAreRefused() throws {
        let copy = try copied()
        let probe = copy.appending(path: "probes/colour-transfer_encode_8x12.safetensors")
        var bytes = try Data(contentsOf: probe)
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: probe)
        try assertRefused(copy, "was altered: its sha256 is")
        try FileManager.default.removeItem(at: probe)
        try assertRefused(copy, "is missing, the manifest lists it")
    }

    func testAPackageOfAnotherSizeIsRefused() throws {
        let copy = try copied()
        let extra = "colour-transfer_encode_8x12_fp32.mlpackage/Data/extra"
        try Data("x".utf8).write(to: copy.appending(path: extra))
        try assertRefused(copy, "bytes, the manifest says")
    }

    func testTheStoreImportsOnlyIntactArtifacts() throws {
        let store = ArtifactStore(bundled: nil, imported: folder.appending(path: "artifacts"))
        XCTAssertTrue(store.artifacts().isEmpty)
        let added = try store.add(ContractFolder.artifact)
        XCTAssertEqual(store.artifacts(), [added])
        _ = try store.add(ContractFolder.artifact)
        XCTAssertEqual(store.artifacts().count, 1)

        let broken = try copied()
        try FileManager.default.removeItem(at: broken.appending(path: "probes"))
        XCTAssertThrowsError(try store.add(broken))
        let names = try FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: "artifacts").path
        )
        XCTAssertEqual(names, ["colour-transfer"])
    }

    private func copied() throws -> URL {
        let copy = folder.appending(path: "copy")
        try FileManager.default.copyItem(at: ContractFolder.artifact, to: copy)
        return copy
    }

    private func assertRefused(_ folder: URL, _ words: String) throws {
        XCTAssertThrowsError(try Artifact(folder: folder).check()) { error in
            XCTAssertTrue("\(error)".contains(words), "\(error)")
        }
    }
}

final class DigestTests: XCTestCase {
    func testFilesAndPackages() throws {
        for item in try ArithmeticCases.read().sha256 {
            let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
            defer { try? FileManager.default.removeItem(at: folder) }
            for file in item.files {
                let url = file.path.isEmpty ? folder : folder.appending(path: file.path)
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(), withIntermediateDirectories: true
                )
                try Data(file.text.utf8).write(to: url)
            }
            XCTAssertEqual(try FileDigest.sha256(of: folder), item.expected, item.name)
        }
    }

    /// Lengths around block boundaries, in chunks; the expected digests are from Python's hashlib.
    func testDigestsOfChunks() {
        let known = [
            (55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
            (56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"),
            (64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
            (1000, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"),
        ]
        for (length, expected) in known {
            var hash = SHA256()
            let data = Data(repeating: UInt8(ascii: "a"), count: length)
            hash.update(data: data.prefix(length / 3))
            hash.update(data: data.suffix(length - length / 3))
            XCTAssertEqual(hash.finalize().map { String(format: "%02x", $0) }.joined(), expected)
        }
    }
}
