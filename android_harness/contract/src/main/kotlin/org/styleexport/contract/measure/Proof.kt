package org.styleexport.contract.measure

import org.styleexport.contract.arithmetic.Parity
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.facts.ParityFact

/** Whether a file computes here what its network computes. */
public object Proof {
    /**
     * Return the parity of a session on a probe, which is run once.
     *
     * @throws IllegalArgumentException a tensor is missing, or has another shape.
     */
    public fun of(
        session: Session, wish: CellWish, probe: Map<String, Tensor>, runner: String,
    ): ParityFact {
        session.feed(inputs(wish, probe))
        session.invoke()
        return of(session.fetch(), wish, probe, runner)
    }

    /** Return the parity of what a file gave. */
    internal fun of(
        outputs: Map<String, Tensor>, wish: CellWish, probe: Map<String, Tensor>, runner: String,
    ): ParityFact {
        val fact = wish.outputs.first()
        val output = tensor(outputs, fact.name, "the file's outputs")
        val reference = tensor(probe, fact.name, "the probe")
        return Parity.of(fact, output, reference, runner, wish.allowedDb)
    }

    /** Return what a probe feeds to a file. */
    internal fun inputs(wish: CellWish, probe: Map<String, Tensor>): Map<String, Tensor> =
        wish.inputs.associate { it.name to tensor(probe, it.name, "the probe") }

    private fun tensor(held: Map<String, Tensor>, name: String, where: String): Tensor =
        requireNotNull(held[name]) { "no tensor $name in $where" }
}
