package org.styleexport.contract.measure

import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.JobCell

/** APIs of LiteRT that load a file. */
public interface LiteRtApis {
    /**
     * Load the file with `CompiledModel`.
     *
     * @throws EngineUnavailable it refuses the file, or is not in this app.
     */
    public fun compiledModel(): Session

    /**
     * Load the file with the interpreter.
     *
     * @param fallback why `CompiledModel` does not run it; null where the interpreter is requested.
     */
    public fun interpreter(fallback: String?): Session
}

/**
 * Choice of LiteRT's API.
 *
 * `CompiledModel` runs every file, as LiteRT asks of apps. The interpreter runs what it cannot, and
 * only on the CPU, of which both have the same kernels: the report then holds the reason. A file
 * that the GPU refuses is refused, since no other API has a GPU, and the CPU is no substitute for
 * one. A fallback happens while a file is loaded; the loading time includes the failed attempt.
 */
public object LiteRtRoute {
    /**
     * Load a cell's file.
     *
     * @throws EngineUnavailable the requested settings are not supported here.
     */
    public fun open(request: LiteRtRequest, cell: JobCell, apis: LiteRtApis): Session {
        if (request.api == LiteRtApi.INTERPRETER) return apis.interpreter(null)
        val mayFallBack = !request.isGpu && request.api == null
        unsupported(cell)?.let { reason ->
            if (mayFallBack) return apis.interpreter(reason)
            throw EngineUnavailable(reason)
        }
        return try {
            apis.compiledModel()
        } catch (error: EngineUnavailable) {
            if (!mayFallBack) throw error
            apis.interpreter(ErrorText.reason(error))
        }
    }

    /** Return why `CompiledModel` cannot carry a cell's tensors; null where it can. */
    private fun unsupported(cell: JobCell): String? =
        (cell.inputs + cell.outputs).firstOrNull { it.dtype == ElementType.FLOAT16 }?.let {
            "${it.name} is float16, which LiteRT's TensorBuffer does not read or write in Kotlin"
        }
}
