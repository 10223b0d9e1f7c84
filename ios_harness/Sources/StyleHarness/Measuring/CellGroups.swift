/// Cells in groups that take turns: of one size, and few enough for the memory of a phone.
public enum CellGroups {
    /// Cells that are loaded side by side at most.
    public static let mostAtOnce = 4

    /// Return indices of cells by the group they are in, sizes in the order they are first met.
    public static func indices(ofSizes sizes: [SizeFact]) -> [[Int]] {
        var order: [SizeFact] = []
        var bySize: [SizeFact: [Int]] = [:]
        for (index, size) in sizes.enumerated() {
            if bySize[size] == nil { order.append(size) }
            bySize[size, default: []].append(index)
        }
        return order.flatMap { size in
            let all = bySize[size] ?? []
            return stride(from: 0, to: all.count, by: mostAtOnce).map {
                Array(all[$0..<min($0 + mostAtOnce, all.count)])
            }
        }
    }
}
