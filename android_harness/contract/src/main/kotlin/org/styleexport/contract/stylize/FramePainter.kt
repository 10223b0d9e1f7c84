package org.styleexport.contract.stylize

import java.io.Closeable
import org.styleexport.contract.arithmetic.SmoothedStatistics
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.facts.TilingFact
import org.styleexport.contract.measure.Session

/**
 * Paints frames of a camera of a window's size, with statistics smoothed over time.
 *
 * All passes stay open, and maps stay in memory: a frame is one tile.
 *
 * @property tiling entry of the manifest.
 * @param files files of the manifest.
 * @param stability 0 takes each frame's own statistics, 1 averages longest.
 * @param open loads a file.
 */
public class FramePainter(
    private val tiling: TilingFact, files: List<FileFact>, stability: Double,
    open: (FileFact) -> Session,
) : Closeable {
    /** Whether the files take the strength. */
    public val takesStrength: Boolean
        get() = passes.any { pass -> pass.file.inputs.any { it.kind == TensorKind.STRENGTH } }

    private class Pass(val file: FileFact, val session: Session)

    private val smoothed = SmoothedStatistics.of(tiling.statistics, stability)
    private val passes = ArrayList<Pass>()

    init {
        try {
            for (pass in tiling.passes) {
                val file = requireNotNull(files.firstOrNull { it.path == pass.path }) {
                    "the manifest does not list ${pass.path}: export the network again"
                }
                passes.add(Pass(file, open(file)))
            }
        } catch (error: Throwable) {
            close()
            throw error
        }
    }

    /**
     * Return a painted frame, [1, 3, k·H, k·W].
     *
     * @param content frame, [1, 3, H, W], of the window's size.
     * @param inputs `style_code` and `strength`, where the files take them.
     * @param seconds when the frame was taken.
     * @throws ArithmeticException a file computes values that are not finite.
     */
    public fun paint(content: Tensor, inputs: Map<String, Tensor>, seconds: Double): Tensor {
        val (height, width) = tiling.window
        val region = floatArrayOf(0f, 0f, height.toFloat(), width.toFloat())
        val known = HashMap(inputs)
        known["region"] = Tensor(listOf(region.size), region)
        smoothed.frame(seconds)
        for (pass in passes) {
            pass.session.feed(inputsOf(pass.file, content, known))
            pass.session.invoke()
            val outputs = pass.session.fetch()
            if (outputs.values.any { value -> value.data.any { it.isNaN() || it.isInfinite() } }) {
                throw ArithmeticException("${pass.file.path} computes values that are not finite")
            }
            known.putAll(outputs)
            known.putAll(settled(pass.file, outputs))
        }
        return known.getValue(passes.last().file.outputs.first { it.kind == TensorKind.IMAGE }.name)
    }

    override fun close(): Unit = passes.forEach { it.session.close() }

    private fun inputsOf(file: FileFact, content: Tensor, known: Map<String, Tensor>) =
        file.inputs.associate { fact ->
            val value = if (fact.kind == TensorKind.IMAGE) content else known[fact.name]
            fact.name to requireNotNull(value) { "the input ${fact.name} is missing" }
        }

    /** Return the smoothed statistics of a pass; those of a frame are its only tile's. */
    private fun settled(file: FileFact, outputs: Map<String, Tensor>): Map<String, Tensor> {
        val given = file.outputs.filter { it.kind == TensorKind.STATISTIC }.associate { fact ->
            val values = outputs.getValue(fact.name).data
            fact.name to DoubleArray(values.size) { values[it].toDouble() }
        }
        if (given.isEmpty()) return emptyMap()
        return smoothed.settle(given).mapValues { (_, values) ->
            Tensor(listOf(1, values.size), FloatArray(values.size) { values[it].toFloat() })
        }
    }
}
