/// A loaded file. Tensors go in and come out as float32, images as [1, 3, H, W] in 0..1.
///
/// Feeding, running and fetching are apart, so that the harness times inference alone. A session is
/// used by one task at a time.
public protocol Session: AnyObject {
    /// Settings as the runtime reports them, which may be others than those asked for.
    var effective: [String: String] { get }
    /// What building for the device took, where it was done apart from loading.
    var compileNs: Int? { get }
    /// Share of the operations by compute unit, 0..1; empty where the system does not tell.
    var placement: [String: Double] { get }

    /// Turn inputs into what the runtime takes.
    func feed(_ inputs: Tensors) throws
    /// Run the file, to its end.
    func invoke() throws
    /// Return the outputs of the last run.
    func fetch() throws -> Tensors
    /// Give back what the session holds.
    func close()
}
