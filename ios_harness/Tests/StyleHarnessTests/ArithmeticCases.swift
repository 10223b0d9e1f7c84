@testable import StyleHarness

/// Inputs and expected results of `arithmetic.json`.
struct ArithmeticCases: Decodable {
    struct Pixels: Decodable {
        let name: String
        let width: Int
        let height: Int
        let layout: TensorLayout
        let pixelRange: [Double]
        let rgb: [UInt8]
        let expected: [Float]

        var format: PixelFormat { ArithmeticCases.format(layout, pixelRange) }
    }
    struct Floats: Decodable {
        let name: String
        let width: Int
        let height: Int
        let layout: TensorLayout
        let pixelRange: [Double]
        let floats: [Float]
        let expected: [UInt8]

        var format: PixelFormat { ArithmeticCases.format(layout, pixelRange) }
    }
    struct Noise: Decodable {
        let output: [Float?]
        let reference: [Float]
        let peak: Double?
        let expectedDb: Double
    }
    struct Stable: Decodable {
        let samples: [Int]
        let window: Int
        let tolerance: Double
        let expected: Bool
    }
    struct Shuffle: Decodable {
        let seed: Int
        let count: Int
        let rounds: Int
        let expected: [[Int]]
    }
    struct Groups: Decodable {
        let sizes: [[Int]]
        let expected: [[Int]]
    }
    struct Blend: Decodable {
        let codes: [[Float]]
        let weights: [Double]
        let blending: Blending
        /// Nil for a blend that is refused.
        let expected: [Float]?
        let error: String?
    }
    struct Frame: Decodable {
        struct Place: Decodable {
            let inner: [Int]
            let top: Int
            let left: Int
            let outer: [Int]
        }
        let picture: [Int]
        let outer: [Int]?
        let maxSide: Int
        let minSide: Int
        let expected: Place
    }
    struct BestSize: Decodable {
        let picture: [Int]
        let sizes: [[Int]]
        let expected: [Int]
    }
    struct Mirror: Decodable {
        let length: Int
        let before: Int
        let after: Int
        let expected: [Int]
    }
    struct Digest: Decodable {
        struct File: Decodable {
            let path: String
            let text: String
        }
        let name: String
        let files: [File]
        let expected: String
    }

    let pixels: [Pixels]
    let floats: [Floats]
    let psnr: [Noise]
    let stable: [Stable]
    let shuffle: [Shuffle]
    let groups: [Groups]
    let blend: [Blend]
    let frame: [Frame]
    let bestSize: [BestSize]
    let mirror: [Mirror]
    let sha256: [Digest]

    static func read() throws -> ArithmeticCases {
        try ContractFolder.decoded(ArithmeticCases.self, from: "arithmetic.json")
    }

    private static func format(_ layout: TensorLayout, _ range: [Double]) -> PixelFormat {
        PixelFormat(layout: layout, range: PixelRange(lowest: range[0], highest: range[1]))
    }
}
