extension JobFact {
    /// A commit that nobody knows is written as null: its field may not be left out.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(schemaVersion, forKey: .schemaVersion)
        try container.encode(version, forKey: .version)
        try container.encode(commit, forKey: .commit)
        try container.encode(nonce, forKey: .nonce)
        try container.encode(command, forKey: .command)
        try container.encode(plan, forKey: .plan)
        try container.encode(cells, forKey: .cells)
    }
}
