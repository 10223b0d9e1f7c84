import SwiftUI

/// The app: paint with an artifact's files, or measure them.
@main
struct StyleExportApp: App {
    @State private var library = ArtifactLibrary()

    var body: some Scene {
        WindowGroup {
            if let order = LaunchOrder(arguments: ProcessInfo.processInfo.arguments) {
                ErrandView(order: order)
            } else {
                RootView(library: library)
            }
        }
    }
}
