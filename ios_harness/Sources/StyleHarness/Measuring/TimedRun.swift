/// What one run gave, and how long it took.
struct TimedRun {
    let outputs: Tensors
    let times: RunTimes

    /// Run a session once.
    init(_ session: any Session, inputs: Tensors, host: any BenchHost) throws {
        let begin = host.now()
        try session.feed(inputs)
        let fed = host.now()
        try session.invoke()
        let invoked = host.now()
        outputs = try session.fetch()
        let end = host.now()
        times = RunTimes(preNs: fed - begin, runNs: invoked - fed, postNs: end - invoked)
    }
}
