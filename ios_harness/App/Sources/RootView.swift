import StyleHarness
import SwiftUI

/// The main screen: artifact menu, and tabs to paint and to measure.
struct RootView: View {
    @Bindable var library: ArtifactLibraryModel
    @State private var service = InferenceService()
    @State private var isPicking = false

    var body: some View {
        NavigationStack {
            Group {
                if let artifact = library.selected {
                    workspace(for: artifact)
                } else {
                    empty
                }
            }
            .navigationTitle("StyleExport")
            .toolbar { artifactMenu }
        }
        .task { library.refresh() }
        .fileImporter(isPresented: $isPicking, allowedContentTypes: [.folder]) { picked in
            Task { await library.add(picked) }
        }
    }

    private func workspace(for artifact: Artifact) -> some View {
        TabView {
            PaintView(artifact: artifact, service: service)
                .tabItem { Label("Paint", systemImage: "paintbrush") }
            MeasureView(artifact: artifact, service: service)
                .tabItem { Label("Measure", systemImage: "stopwatch") }
        }
        .id(artifact.folder)
    }

    private var empty: some View {
        ContentUnavailableView {
            Label("No Artifact", systemImage: "shippingbox")
        } description: {
            Text(
                library.errorMessage
                    ?? "Import a folder of `styleexport coreml` or `styleexport coreai`."
            )
        } actions: {
            Button("Import…") { isPicking = true }
        }
    }

    private var artifactMenu: some ToolbarContent {
        ToolbarItem(placement: .primaryAction) {
            Menu {
                Picker("Artifact", selection: $library.selected) {
                    ForEach(library.artifacts, id: \.folder) { artifact in
                        Text(artifact.name).tag(Optional(artifact))
                    }
                }
                Button("Import…") { isPicking = true }
                if let errorMessage = library.errorMessage { Text(errorMessage) }
            } label: {
                Label("Artifacts", systemImage: "shippingbox")
            }
            .disabled(library.isImporting)
        }
    }
}
