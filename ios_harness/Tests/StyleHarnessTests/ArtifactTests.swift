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
        try artifact.check(where: ArtifactShelf.isNeeded)
        XCTAssertEqual(artifact.name, "colour-transfer")
        let codes = try artifact.styleCodes()
        XCTAssertEqual(codes.keys.sorted(), ["dusk", "sea"])
        XCTAssertEqual(codes["sea"]?.shape, [1, 6])
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

    func testTheShelfTakesWholeArtifactsOnly() throws {
        let shelf = ArtifactShelf(bundled: nil, imported: folder.appending(path: "artifacts"))
        XCTAssertTrue(shelf.artifacts().isEmpty)
        let added = try shelf.add(ContractFolder.artifact)
        XCTAssertEqual(shelf.artifacts(), [added])
        _ = try shelf.add(ContractFolder.artifact)
        XCTAssertEqual(shelf.artifacts().count, 1)

        let broken = try copied()
        try FileManager.default.removeItem(at: broken.appending(path: "probes"))
        XCTAssertThrowsError(try shelf.add(broken))
        let left = try FileManager.default.contentsOfDirectory(
            atPath: folder.appending(path: "artifacts").path
        )
        XCTAssertEqual(left, ["colour-transfer"])
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
