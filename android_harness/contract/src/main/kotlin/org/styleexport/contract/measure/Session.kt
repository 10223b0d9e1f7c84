package org.styleexport.contract.measure

import java.io.Closeable
import org.styleexport.contract.arithmetic.Tensor

/**
 * A loaded file: inputs by name in, outputs by name out, float32 all.
 *
 * Images are [1, 3, H, W], RGB in 0..1, whatever the file itself takes: `feed` converts to the
 * file's layout, range and element type, and `fetch` back. `invoke` alone is the inference, with
 * everything that it started finished when it returns. A session is used by one thread at a time,
 * the one that opened it: GPU delegates are bound to theirs.
 */
public interface Session : Closeable {
    /** Settings as the runtime itself tells them, which may be others than were asked for. */
    public val effective: Map<String, String>

    /** Of building for the device, where the runtime does so apart from loading. */
    public val compileNs: Long? get() = null

    /** Share of the work by delegate, 0..1, where the runtime tells. */
    public val placement: Map<String, Double> get() = emptyMap()

    /** Take the inputs. */
    public fun feed(inputs: Map<String, Tensor>)

    /** Run the file on what was fed. */
    public fun invoke()

    /** Return the outputs of the last run. */
    public fun fetch(): Map<String, Tensor>
}
