extension CellFact {
    /// All samples, in the order they were taken.
    public var samplesNs: [Int] { roundsNs.flatMap { $0 } }

    /// Refuse what no single field shows.
    func check(at node: JSONNode) throws {
        if status == .measured && samplesNs.isEmpty {
            throw node.error("a cell that was measured must hold samples")
        }
        if max(size.height, size.width) > JSONLimits.side {
            throw node.error("sides are at most \(JSONLimits.side) pixels")
        }
    }
}
