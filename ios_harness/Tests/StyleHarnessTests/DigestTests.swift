import XCTest

@testable import StyleHarness

final class DigestTests: XCTestCase {
    func testFilesAndPackages() throws {
        for item in try Arithmetic.read().sha256 {
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

    /// Lengths around the ends of blocks, in pieces; the digests are those of Python's hashlib.
    func testOurOwnDigest() {
        let known = [
            (55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
            (56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"),
            (64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
            (1000, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"),
        ]
        for (length, expected) in known {
            var digest = SHA256Digest()
            let data = Data(repeating: UInt8(ascii: "a"), count: length)
            digest.update(data.prefix(length / 3))
            digest.update(data.suffix(length - length / 3))
            XCTAssertEqual(digest.finish(), expected)
        }
    }
}
