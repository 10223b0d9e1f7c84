import Foundation

/// Folders of the app.
enum AppFolders {
    /// The app's container; paths that the host passes are relative to it.
    static let root = URL(filePath: NSHomeDirectory(), directoryHint: .isDirectory)
    /// Artifacts in the app bundle.
    static let bundled = Bundle.main.resourceURL?.appending(path: "artifacts")
    /// Artifacts imported by the user or copied by the host.
    static let imported = URL.documentsDirectory.appending(path: "artifacts")
    /// Reports of the host's jobs, which it fetches.
    static let reports = URL.documentsDirectory.appending(path: "reports")
    /// Feature maps and paintings of photos at full size, while they are used.
    static let tiles = URL.temporaryDirectory.appending(path: "tiles")
    /// Reports measured in the app, visible in the Files app.
    static let measured = URL.documentsDirectory.appending(path: "measured")
}

/// Version of the app, for its own reports.
enum AppVersion {
    static let name: String = {
        let short = Bundle.main.infoDictionary?["CFBundleShortVersionString"] as? String
        return "app \(short ?? "unknown")"
    }()
}
