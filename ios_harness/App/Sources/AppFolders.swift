import Foundation

/// Where the app keeps things.
enum AppFolders {
    /// The app's own folder, which paths of the host are below.
    static let root = URL(filePath: NSHomeDirectory(), directoryHint: .isDirectory)
    /// Artifacts that came with the app.
    static let bundled = Bundle.main.resourceURL?.appending(path: "artifacts")
    /// Artifacts that were imported or pushed.
    static let imported = URL.documentsDirectory.appending(path: "artifacts")
    /// Reports that the host asked for, and fetches.
    static let reports = URL.documentsDirectory.appending(path: "reports")
    /// Reports that were measured in the app; the Files app shows them.
    static let measured = URL.documentsDirectory.appending(path: "measured")
}
