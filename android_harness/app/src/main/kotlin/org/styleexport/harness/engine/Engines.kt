package org.styleexport.harness.engine

import java.io.File
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.measure.Engine
import org.styleexport.contract.measure.EngineUnavailable
import org.styleexport.contract.measure.Session

/** Runtimes of the app, chosen by file extension. */
class Engines {
    private val engines: List<Engine> = listOf(LiteRtEngine(), OnnxEngine())

    /**
     * Load a file of an artifact.
     *
     * @param threads number of threads; null is half of the processors, at most four.
     * @throws EngineUnavailable no runtime here supports the file and its settings.
     */
    fun open(artifact: Artifact, cell: JobCell, threads: Int?): Session {
        val file: File = artifact.file(cell.subject.path)
        val suffix = ".${file.extension}"
        val engine = engines.firstOrNull { it.suffix == suffix }
            ?: throw EngineUnavailable("no runtime for $suffix files: expected $SUFFIXES")
        return engine.open(file, cell, threads ?: defaultThreads())
    }

    private fun defaultThreads() =
        ((Runtime.getRuntime().availableProcessors() + 1) / 2).coerceIn(1, MAX_THREADS)

    companion object {
        /** Extensions of the files that the app runs. */
        val SUFFIXES: List<String> = listOf(LiteRtEngine.SUFFIX, OnnxEngine.SUFFIX)
        private const val MAX_THREADS = 4
    }
}

/** Delegate of LiteRT, or execution provider of ONNX Runtime, that a file can be run with. */
enum class DelegateKind(val text: String) {
    /** CPU kernels of the runtime. */
    CPU("cpu"),

    /** XNNPACK: float and integer kernels for the CPU. */
    XNNPACK("xnnpack"),

    /** OpenCL or OpenGL, LiteRT only. */
    GPU("gpu"),

    /** Android's neural networks API, deprecated since Android 15. */
    NNAPI("nnapi");

    companion object {
        /** Names of all delegates. */
        val NAMES: List<String> = entries.map(DelegateKind::text)

        /** Key of the delegate in a cell's settings. */
        const val SETTING = "delegate"

        /**
         * Return the requested delegate; the CPU by default.
         *
         * @throws EngineUnavailable the name is unknown.
         */
        fun of(requested: Map<String, String>): DelegateKind {
            val name = requested[SETTING] ?: return CPU
            return entries.firstOrNull { it.text == name } ?: throw EngineUnavailable(
                "no delegate $name: expected ${NAMES.joinToString(", ")}",
            )
        }
    }
}
