package org.styleexport.harness.engine

import android.os.Build
import java.io.File
import java.util.Date
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.measure.Engine
import org.styleexport.contract.measure.EngineUnavailable
import org.styleexport.contract.measure.Session
import org.styleexport.contract.measure.Words
import org.tensorflow.lite.Delegate
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.gpu.CompatibilityList
import org.tensorflow.lite.gpu.GpuDelegate
import org.tensorflow.lite.gpu.GpuDelegateFactory
import org.tensorflow.lite.nnapi.NnApiDelegate

/** Runs `.tflite` files with LiteRT: XNNPACK on the CPU, the GPU delegate, or NNAPI. */
class LiteRtEngine : Engine {
    override val suffix: String get() = SUFFIX

    override fun open(file: File, wish: CellWish, threads: Int?): Session {
        val asked = Delegates.of(wish.requested)
        val begun = Date()
        val options = Interpreter.Options()
        if (threads != null) options.setNumThreads(threads)
        // On the CPU LiteRT has no faster path of its own than XNNPACK.
        options.setUseXNNPACK(true)
        val delegate = delegate(asked)
        try {
            delegate?.let(options::addDelegate)
            val interpreter = Interpreter(file, options)
            return LiteRtSession(interpreter, delegate, wish, effective(asked, threads), begun)
        } catch (error: IllegalArgumentException) {
            delegate?.close()
            if (delegate == null) throw error
            throw EngineUnavailable("${asked.text} refused the file: ${Words.reason(error)}", error)
        } catch (error: Throwable) {
            delegate?.close()
            throw error
        }
    }

    private fun delegate(asked: Delegates): Delegate? = when (asked) {
        Delegates.CPU, Delegates.XNNPACK -> null
        Delegates.GPU -> gpu()
        Delegates.NNAPI -> nnapi()
    }

    private fun gpu(): Delegate {
        if (!CompatibilityList().use { it.isDelegateSupportedOnThisDevice }) {
            throw EngineUnavailable("LiteRT's list of GPUs does not hold that of this phone")
        }
        val options = GpuDelegateFactory.Options()
            .setPrecisionLossAllowed(true)
            .setInferencePreference(GpuDelegateFactory.Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED)
        return GpuDelegate(options)
    }

    private fun nnapi(): Delegate {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.O_MR1) {
            throw EngineUnavailable("NNAPI needs Android 8.1, this is ${Build.VERSION.RELEASE}")
        }
        // Without its own CPU path: a file that no accelerator takes is to be refused.
        val options = NnApiDelegate.Options()
            .setUseNnapiCpu(false)
            .setAllowFp16(false)
            .setExecutionPreference(NnApiDelegate.Options.EXECUTION_PREFERENCE_SUSTAINED_SPEED)
        return NnApiDelegate(options)
    }

    private fun effective(asked: Delegates, threads: Int?): Map<String, String> = buildMap {
        put("engine", "litert")
        put("delegate", (if (asked == Delegates.CPU) Delegates.XNNPACK else asked).text)
        threads?.let { put("threads", it.toString()) }
        put("fp16", if (asked == Delegates.GPU) "on" else "off")
    }

    companion object {
        /** Of the files that it runs. */
        const val SUFFIX = ".tflite"
    }
}
