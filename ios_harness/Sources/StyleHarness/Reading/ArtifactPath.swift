/// Paths below an artifact directory; a pattern alone does not keep them there.
enum ArtifactPath {
    /// Refuse a path that leads out of the artifact.
    static func check(_ path: String, at place: String) throws {
        guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
            throw ContractError(path: place, reason: "names \(path), outside the artifact")
        }
    }
}
