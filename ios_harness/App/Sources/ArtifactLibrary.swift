import Foundation
import Observation
import StyleHarness

/// The artifacts that the app can choose from.
@MainActor
@Observable
final class ArtifactLibrary {
    private(set) var artifacts: [Artifact] = []
    private(set) var trouble: String?
    private(set) var isImporting = false
    var chosen: Artifact?

    private let shelf = ArtifactShelf(bundled: AppFolders.bundled, imported: AppFolders.imported)

    /// Look for artifacts again.
    func refresh() {
        artifacts = shelf.artifacts()
        if chosen.map({ !artifacts.contains($0) }) ?? true {
            chosen = artifacts.first
        }
    }

    /// Copy a folder that the user has picked, checked by size and sha256.
    func add(_ picked: Result<URL, any Error>) async {
        isImporting = true
        defer { isImporting = false }
        do {
            let url = try picked.get()
            let shelf = self.shelf
            let added = try await Task.detached {
                let isOpen = url.startAccessingSecurityScopedResource()
                defer { if isOpen { url.stopAccessingSecurityScopedResource() } }
                return try shelf.add(url)
            }.value
            trouble = nil
            refresh()
            chosen = added
        } catch {
            trouble = error.localizedDescription
        }
    }
}
