package org.styleexport.contract.facts

import com.google.gson.JsonPrimitive
import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.Values

/**
 * Lowest and highest value of a pixel.
 *
 * @property low value of black.
 * @property high value of white.
 */
public data class PixelRange(public val low: Float, public val high: Float) {
    public companion object {
        /** 0..1, the range of images between stages. */
        public val UNIT: PixelRange = PixelRange(0f, 1f)
    }
}

/** Rules of the contract that a JSON Schema cannot express; the generated readers check them. */
internal object ContractRules {
    private const val MAX_SIDE = 16_384
    private const val MAX_CELLS = 10_000
    private const val MAX_VALUES = 3 * MAX_SIDE * MAX_SIDE

    fun check(tensor: TensorFact, where: String) {
        val range = tensor.pixelRange
        if (range != null && !(range.low < range.high)) {
            throw ContractError("$where.pixel_range", "expected the lowest pixel value first")
        }
        tensor.shape.forEachIndexed { axis, length ->
            if (length != null && length < 0) {
                throw ContractError("$where.shape[$axis]", "$length is less than 0")
            }
        }
    }

    fun check(layout: CodeLayoutFact, where: String) {
        val names = layout.parts.map(CodePartFact::name)
        val reason = when {
            names.toSet().size < names.size -> "parts of a style code have different names"
            // Compared as a Double: a product of lengths may exceed a Long.
            layout.length > MAX_VALUES -> "a style code has 1 to $MAX_VALUES values"
            layout.blending != Blending.EXACT && layout.reason.isEmpty() ->
                "blending ${layout.blending.serialName} needs a reason"
            else -> return
        }
        throw ContractError(where, reason)
    }

    fun check(manifest: Manifest, where: String) {
        val layout = manifest.network.codeLayout ?: return
        for (file in manifest.files) {
            val length = file.codeLength ?: continue
            if (length.toDouble() != layout.length) {
                throw ContractError(
                    where, "parts of ${layout.length} values, and codes of $length in ${file.path}",
                )
            }
        }
    }

    fun check(cell: CellFact, where: String) {
        if (cell.status == CellStatus.MEASURED && cell.roundsNs.all(List<Long>::isEmpty)) {
            throw ContractError(where, "a cell that was measured must hold samples")
        }
        if (maxOf(cell.size.height, cell.size.width) > MAX_SIDE) {
            throw ContractError("$where.size", "sides are at most $MAX_SIDE pixels")
        }
    }

    /** A report may name any path; a job's file is opened, so it must lie in the artifact. */
    fun check(cell: JobCell, where: String) {
        Values.path(Patterns.PATH)(JsonPrimitive(cell.subject.path), "$where.subject.path")
        if (cell.inputs.isEmpty()) throw ContractError("$where.inputs", "expected an input")
        if (cell.outputs.isEmpty()) throw ContractError("$where.outputs", "expected an output")
    }

    fun check(job: JobFact, where: String) {
        if (job.cells.size > MAX_CELLS) {
            throw ContractError("$where.cells", "more than $MAX_CELLS cells fit no report")
        }
    }
}
