extension PeakFact {
    /// What was not measured is written as null: its fields may not be left out.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(threads, forKey: .threads)
        try container.encode(fp32Gmacs, forKey: .fp32Gmacs)
        try container.encode(int8Gmacs, forKey: .int8Gmacs)
        try container.encode(method, forKey: .method)
    }
}
