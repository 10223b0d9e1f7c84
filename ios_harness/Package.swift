// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "StyleHarness",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [
        .library(name: "StyleHarness", targets: ["StyleHarness"]),
        .library(name: "StyleHarnessCoreML", targets: ["StyleHarnessCoreML"]),
        .executable(name: "styleharness", targets: ["styleharness"]),
    ],
    targets: [
        .target(name: "StyleHarness"),
        .target(name: "StyleHarnessCoreML", dependencies: ["StyleHarness"]),
        .target(name: "StyleHarnessFake", dependencies: ["StyleHarness"]),
        .executableTarget(
            name: "styleharness",
            dependencies: ["StyleHarness", "StyleHarnessCoreML", "StyleHarnessFake"]
        ),
        .testTarget(
            name: "StyleHarnessTests",
            dependencies: ["StyleHarness", "StyleHarnessFake"]
        ),
    ],
    swiftLanguageModes: [.v6]
)
