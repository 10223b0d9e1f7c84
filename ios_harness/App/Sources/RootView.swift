import StyleHarness
import SwiftUI

/// Choose an artifact, then paint or measure.
struct RootView: View {
    @Bindable var library: ArtifactLibrary
    @State private var studio = Studio()
    @State private var isPicking = false

    var body: some View {
        NavigationStack {
            Group {
                if let artifact = library.chosen {
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
            PaintView(artifact: artifact, studio: studio)
                .tabItem { Label("Paint", systemImage: "paintbrush") }
            MeasureView(artifact: artifact, studio: studio)
                .tabItem { Label("Measure", systemImage: "stopwatch") }
        }
        .id(artifact.folder)
    }

    private var empty: some View {
        ContentUnavailableView {
            Label("No artifact", systemImage: "shippingbox")
        } description: {
            Text(library.trouble ?? "Import a folder that `styleexport coreml` has written.")
        } actions: {
            Button("Import …") { isPicking = true }
        }
    }

    private var artifactMenu: some ToolbarContent {
        ToolbarItem(placement: .primaryAction) {
            Menu {
                Picker("Artifact", selection: $library.chosen) {
                    ForEach(library.artifacts, id: \.folder) { artifact in
                        Text(artifact.name).tag(Optional(artifact))
                    }
                }
                Button("Import …") { isPicking = true }
                if let trouble = library.trouble { Text(trouble) }
            } label: {
                Label("Artifacts", systemImage: "shippingbox")
            }
            .disabled(library.isImporting)
        }
    }
}
