package org.styleexport.harness.engine

import android.os.Build
import java.io.File
import java.io.IOException
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.measure.DelegateLog
import org.styleexport.contract.measure.Engine
import org.styleexport.contract.measure.EngineUnavailable
import org.styleexport.contract.measure.ErrorText
import org.styleexport.contract.measure.Session
import org.tensorflow.lite.Delegate
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.gpu.CompatibilityList
import org.tensorflow.lite.gpu.GpuDelegate
import org.tensorflow.lite.gpu.GpuDelegateFactory
import org.tensorflow.lite.nnapi.NnApiDelegate

/** LiteRT for `.tflite` files: XNNPACK on the CPU, the GPU delegate, or NNAPI. */
class LiteRtEngine : Engine {
    override val suffix: String get() = SUFFIX

    override fun open(file: File, cell: JobCell, threads: Int?): Session {
        val kind = DelegateKind.of(cell.requested)
        val loadStart = Date()
        val options = Interpreter.Options()
        if (threads != null) options.setNumThreads(threads)
        // LiteRT's CPU kernels are XNNPACK's; it has no faster ones.
        options.setUseXNNPACK(true)
        val delegate = delegate(kind)
        try {
            delegate?.let(options::addDelegate)
            val interpreter = Interpreter(file, options)
            return LiteRtSession(interpreter, delegate, cell, effective(kind, threads), loadStart)
        } catch (error: IllegalArgumentException) {
            delegate?.close()
            if (delegate == null) throw error
            val reason = ErrorText.reason(error)
            throw EngineUnavailable("${kind.text} refused the file: $reason", error)
        } catch (error: Throwable) {
            delegate?.close()
            throw error
        }
    }

    private fun delegate(kind: DelegateKind): Delegate? = when (kind) {
        DelegateKind.CPU, DelegateKind.XNNPACK -> null
        DelegateKind.GPU -> gpu()
        DelegateKind.NNAPI -> nnapi()
    }

    private fun gpu(): Delegate {
        if (!CompatibilityList().use { it.isDelegateSupportedOnThisDevice }) {
            throw EngineUnavailable("this phone's GPU is not on LiteRT's list of supported GPUs")
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
        // Without NNAPI's CPU fallback: a file that no accelerator supports must be refused.
        val options = NnApiDelegate.Options()
            .setUseNnapiCpu(false)
            .setAllowFp16(false)
            .setExecutionPreference(NnApiDelegate.Options.EXECUTION_PREFERENCE_SUSTAINED_SPEED)
        return NnApiDelegate(options)
    }

    private fun effective(kind: DelegateKind, threads: Int?): Map<String, String> = buildMap {
        put("engine", "litert")
        put("delegate", (if (kind == DelegateKind.CPU) DelegateKind.XNNPACK else kind).text)
        threads?.let { put("threads", it.toString()) }
        put("fp16", if (kind == DelegateKind.GPU) "on" else "off")
    }

    companion object {
        /** Extension of the files that it runs. */
        const val SUFFIX = ".tflite"
    }
}

/**
 * `.tflite` file in LiteRT's interpreter.
 *
 * `invoke` includes copies of inputs and outputs, which the Java API always makes.
 *
 * @param loadStart time at which loading began; delegates log their nodes after it.
 */
class LiteRtSession(
    private val interpreter: Interpreter,
    private val delegate: Delegate?,
    cell: JobCell,
    private val settings: Map<String, String>,
    private val loadStart: Date,
) : Session {
    private val inputs = TensorBuffers(cell.inputs, cell.size)
    private val outputs = TensorBuffers(cell.outputs, cell.size)
    private val signature: String? = interpreter.signatureKeys.firstOrNull()

    override val effective: Map<String, String>
        get() = if (delegate is NnApiDelegate && delegate.hasErrors()) {
            settings + ("nnapi_errno" to delegate.nnapiErrno.toString())
        } else {
            settings
        }

    override val placement: Map<String, Double>
        get() {
            val shares = DelegateLog.shares(ProcessLog.since(loadStart, LOG_TAG))
            if (shares.isEmpty()) return shares
            val rest = 1.0 - shares.values.sum()
            return if (rest > 0) shares + (DelegateKind.CPU.text to rest) else shares
        }

    override fun feed(inputs: Map<String, Tensor>): Unit = this.inputs.encode(inputs)

    override fun invoke() {
        outputs.buffers.values.forEach { it.clear() }
        if (signature == null) {
            val byNumber = outputs.buffers.values.withIndex().associate { it.index to it.value }
            interpreter.runForMultipleInputsOutputs(inputs.buffers.values.toTypedArray(), byNumber)
        } else {
            interpreter.runSignature(inputs.buffers, outputs.buffers, signature)
        }
    }

    override fun fetch(): Map<String, Tensor> = outputs.decode()

    override fun close() {
        // The interpreter uses its delegate until it is closed.
        interpreter.close()
        delegate?.close()
    }

    private companion object {
        const val LOG_TAG = "tflite"
    }
}

/** System log of this process, which an app may read without a permission. */
object ProcessLog {
    /** Return the lines of a tag since a time; none if the log cannot be read. */
    fun since(moment: Date, tag: String): Sequence<String> {
        val time = SimpleDateFormat("MM-dd HH:mm:ss.SSS", Locale.ROOT).format(moment)
        val process = android.os.Process.myPid().toString()
        val command = listOf("logcat", "-d", "--pid=$process", "-T", time, "-s", "$tag:V")
        return try {
            val logcat = ProcessBuilder(command).redirectErrorStream(true).start()
            logcat.outputStream.close()
            logcat.inputStream.bufferedReader().use { it.readLines() }.asSequence()
        } catch (_: IOException) {
            emptySequence()
        }
    }
}
