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
