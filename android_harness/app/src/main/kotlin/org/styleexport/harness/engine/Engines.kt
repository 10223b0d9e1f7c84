package org.styleexport.harness.engine

import java.io.File
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.measure.Engine
import org.styleexport.contract.measure.EngineUnavailable
import org.styleexport.contract.measure.Session

/** The runtimes of this app, by the suffix of the files that they run. */
class Engines {
    private val engines: List<Engine> = listOf(LiteRtEngine(), OnnxEngine())

    /**
     * Return a session on a file of an artifact.
     *
     * @param threads of the runtime; null takes half of the processors, four at most.
     * @throws EngineUnavailable no runtime here runs it with these settings.
     */
    fun open(artifact: Artifact, wish: CellWish, threads: Int?): Session {
        val file: File = artifact.file(wish.subject.path)
        val suffix = ".${file.extension}"
        val engine = engines.firstOrNull { it.suffix == suffix }
            ?: throw EngineUnavailable("no runtime for $suffix files: expected $SUFFIXES")
        return engine.open(file, wish, threads ?: usualThreads())
    }

    private fun usualThreads() =
        ((Runtime.getRuntime().availableProcessors() + 1) / 2).coerceIn(1, MOST_THREADS)

    companion object {
        /** Of the files that the app runs. */
        val SUFFIXES: List<String> = listOf(LiteRtEngine.SUFFIX, OnnxEngine.SUFFIX)
        private const val MOST_THREADS = 4
    }
}
