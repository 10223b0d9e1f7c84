package org.styleexport.contract.measure

import org.styleexport.contract.arithmetic.Tensor

/**
 * One run of a session, with what each part took in nanoseconds.
 *
 * @property outputs by name.
 * @property pre from tensors to what the runtime takes.
 * @property run the inference.
 * @property post from what the runtime gives to tensors.
 */
public class Timing(
    public val outputs: Map<String, Tensor>,
    public val pre: Long,
    public val run: Long,
    public val post: Long,
) {
    /** Return the same without what was computed, which would fill the memory. */
    internal fun withoutOutputs(): Timing = Timing(emptyMap(), pre, run, post)

    public companion object {
        /** Run a session once. */
        public fun of(session: Session, inputs: Map<String, Tensor>, clock: Clock): Timing {
            val begin = clock.now()
            session.feed(inputs)
            val fed = clock.now()
            session.invoke()
            val invoked = clock.now()
            val outputs = session.fetch()
            val end = clock.now()
            return Timing(outputs, fed - begin, invoked - fed, end - invoked)
        }
    }
}
