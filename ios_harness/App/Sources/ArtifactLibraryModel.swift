import Foundation
import Observation
import StyleHarness

/// Model of the artifact menu: the available artifacts, the selected one, and imports.
@MainActor
@Observable
final class ArtifactLibraryModel {
    private(set) var artifacts: [Artifact] = []
    private(set) var errorMessage: String?
    private(set) var isImporting = false
    var selected: Artifact?

    private let store = ArtifactStore(bundled: AppFolders.bundled, imported: AppFolders.imported)

    /// Reload the list of artifacts.
    func refresh() {
        artifacts = store.artifacts()
        if selected.map({ !artifacts.contains($0) }) ?? true {
            selected = artifacts.first
        }
    }

    /// Import a folder picked by the user; size and sha256 of its files are verified.
    func add(_ picked: Result<URL, any Error>) async {
        isImporting = true
        defer { isImporting = false }
        do {
            let url = try picked.get()
            let store = self.store
            let added = try await Task.detached {
                let isAccessing = url.startAccessingSecurityScopedResource()
                defer { if isAccessing { url.stopAccessingSecurityScopedResource() } }
                return try store.add(url)
            }.value
            errorMessage = nil
            refresh()
            selected = added
        } catch {
            errorMessage = error.localizedDescription
        }
    }
}
