import SwiftUI

/// The app: stylizes photos with the files of an artifact, and measures them.
@main
struct StyleExportApp: App {
    @State private var library = ArtifactLibraryModel()

    var body: some Scene {
        WindowGroup {
            if let arguments = LaunchArguments(ProcessInfo.processInfo.arguments) {
                JobView(arguments: arguments)
            } else {
                RootView(library: library)
            }
        }
    }
}
