import Foundation

/// The version of the app, for its own reports.
enum AppVersion {
    static let name: String = {
        let short = Bundle.main.infoDictionary?["CFBundleShortVersionString"] as? String
        return "app \(short ?? "unknown")"
    }()
}
