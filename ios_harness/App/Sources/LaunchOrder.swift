import Foundation

/// A benchmark that the host asks for by launch arguments.
///
/// `--bench-job Documents/jobs/<nonce>.json --artifact Documents/artifacts/<name>`; both are below
/// the app's own folder.
struct LaunchOrder: Hashable, Sendable {
    let job: String
    let artifact: String

    init?(arguments: [String]) {
        func value(of option: String) -> String? {
            guard let index = arguments.firstIndex(of: option), index + 1 < arguments.count else {
                return nil
            }
            return arguments[index + 1]
        }
        guard let job = value(of: "--bench-job"), let artifact = value(of: "--artifact") else {
            return nil
        }
        self.job = job
        self.artifact = artifact
    }
}
