/// How long each part of a run took.
struct RunTimes: Hashable, Sendable {
    let preNs: Int
    let runNs: Int
    let postNs: Int
}
