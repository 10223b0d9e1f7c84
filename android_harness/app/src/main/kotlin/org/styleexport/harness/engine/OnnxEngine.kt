package org.styleexport.harness.engine

import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import ai.onnxruntime.providers.NNAPIFlags
import android.os.Build
import java.io.File
import java.util.EnumSet
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.measure.Engine
import org.styleexport.contract.measure.EngineUnavailable
import org.styleexport.contract.measure.Session
import org.styleexport.contract.measure.Words

/** Runs `.onnx` files with ONNX Runtime: its own CPU kernels, XNNPACK, or NNAPI. */
class OnnxEngine : Engine {
    override val suffix: String get() = SUFFIX

    override fun open(file: File, wish: CellWish, threads: Int?): Session {
        val asked = Delegates.of(wish.requested)
        val environment = OrtEnvironment.getEnvironment()
        // Its Android build exports telemetry; this app has no permission for the network either.
        environment.setTelemetry(false)
        val session = session(environment, file, asked, threads, isStrict = false)
        try {
            return OnnxSession(environment, session, wish) { effective(file, asked, threads) }
        } catch (error: Throwable) {
            session.close()
            throw error
        }
    }

    private fun session(
        environment: OrtEnvironment, file: File, asked: Delegates, threads: Int?, isStrict: Boolean,
    ): OrtSession = OrtSession.SessionOptions().use { options ->
        if (isStrict) options.addConfigEntry(NO_FALLBACK, "1")
        try {
            add(options, asked, threads)
        } catch (error: OrtException) {
            val reason = Words.reason(error)
            throw EngineUnavailable("${asked.text} cannot be used here: $reason", error)
        }
        environment.createSession(file.path, options)
    }

    private fun add(options: OrtSession.SessionOptions, asked: Delegates, threads: Int?) {
        when (asked) {
            Delegates.CPU -> threads?.let(options::setIntraOpNumThreads)
            Delegates.XNNPACK -> {
                // XNNPACK has threads of its own; those of the runtime would only stand in the way.
                options.setIntraOpNumThreads(1)
                options.addConfigEntry(SPINNING, "0")
                options.addXnnpack(mapOf(THREADS to (threads ?: 1).toString()))
            }
            Delegates.NNAPI -> {
                threads?.let(options::setIntraOpNumThreads)
                addNnapi(options)
            }
            Delegates.GPU -> throw EngineUnavailable(
                "ONNX Runtime has no GPU provider on Android: use cpu, xnnpack, nnapi, or .tflite",
            )
        }
    }

    private fun addNnapi(options: OrtSession.SessionOptions) {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) {
            throw EngineUnavailable("NNAPI without its CPU path needs Android 10")
        }
        options.addNnapi(EnumSet.of(NNAPIFlags.CPU_DISABLED))
    }

    /** Not asked for while loading is timed: it loads the file once more. */
    private fun effective(file: File, asked: Delegates, threads: Int?) = buildMap {
        put("engine", "onnxruntime")
        put("delegate", asked.text)
        threads?.let { put("threads", it.toString()) }
        put("fp16", "off")
        if (asked != Delegates.CPU) put("coverage", coverage(file, asked, threads))
    }

    /** Return how much the provider takes: without fallback only a whole file can be loaded. */
    private fun coverage(file: File, asked: Delegates, threads: Int?): String = try {
        val environment = OrtEnvironment.getEnvironment()
        session(environment, file, asked, threads, isStrict = true).close()
        "whole"
    } catch (_: OrtException) {
        "part"
    }

    companion object {
        /** Of the files that it runs. */
        const val SUFFIX = ".onnx"
        private const val NO_FALLBACK = "session.disable_cpu_ep_fallback"
        private const val SPINNING = "session.intra_op.allow_spinning"
        private const val THREADS = "intra_op_num_threads"
    }
}
