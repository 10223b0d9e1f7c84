package org.styleexport.harness.engine

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import ai.onnxruntime.providers.NNAPIFlags
import android.os.Build
import java.io.File
import java.util.EnumSet
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.facts.TensorFact
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.contract.measure.Engine
import org.styleexport.contract.measure.EngineUnavailable
import org.styleexport.contract.measure.ErrorText
import org.styleexport.contract.measure.LiteRtRequest
import org.styleexport.contract.measure.Session

/** Runs `.onnx` files with ONNX Runtime: its own CPU kernels, XNNPACK, or NNAPI. */
class OnnxEngine : Engine {
    override val suffix: String get() = SUFFIX

    override fun open(file: File, cell: JobCell, threads: Int?): Session {
        LiteRtRequest.refuseIn(cell.requested)
        val kind = DelegateKind.of(cell.requested)
        val environment = OrtEnvironment.getEnvironment()
        // The Android build collects telemetry; the app has no network permission either.
        environment.setTelemetry(false)
        val session = session(environment, file, kind, threads, isStrict = false)
        try {
            return OnnxSession(environment, session, cell) { effective(file, kind, threads) }
        } catch (error: Throwable) {
            session.close()
            throw error
        }
    }

    private fun session(
        environment: OrtEnvironment, file: File, kind: DelegateKind, threads: Int?,
        isStrict: Boolean,
    ): OrtSession = OrtSession.SessionOptions().use { options ->
        if (isStrict) options.addConfigEntry(NO_FALLBACK, "1")
        try {
            add(options, kind, threads)
        } catch (error: OrtException) {
            val reason = ErrorText.reason(error)
            throw EngineUnavailable("${kind.text} cannot be used here: $reason", error)
        }
        environment.createSession(file.path, options)
    }

    private fun add(options: OrtSession.SessionOptions, kind: DelegateKind, threads: Int?) {
        when (kind) {
            DelegateKind.CPU -> threads?.let(options::setIntraOpNumThreads)
            DelegateKind.XNNPACK -> {
                // XNNPACK has a thread pool of its own, which the runtime's would compete with.
                options.setIntraOpNumThreads(1)
                options.addConfigEntry(SPINNING, "0")
                options.addXnnpack(mapOf(THREADS to (threads ?: 1).toString()))
            }
            DelegateKind.NNAPI -> {
                threads?.let(options::setIntraOpNumThreads)
                addNnapi(options)
            }
            DelegateKind.GPU -> throw EngineUnavailable(
                "ONNX Runtime has no GPU provider on Android: use cpu, xnnpack, nnapi, or .tflite",
            )
        }
    }

    private fun addNnapi(options: OrtSession.SessionOptions) {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.Q) {
            throw EngineUnavailable("NNAPI without CPU fallback needs Android 10")
        }
        options.addNnapi(EnumSet.of(NNAPIFlags.CPU_DISABLED))
    }

    /** Read after loading is timed: the coverage loads the file once more. */
    private fun effective(file: File, kind: DelegateKind, threads: Int?) = buildMap {
        put("engine", "onnxruntime")
        put("delegate", kind.text)
        threads?.let { put("threads", it.toString()) }
        put("fp16", "off")
        if (kind != DelegateKind.CPU) put("coverage", coverage(file, kind, threads))
    }

    /** Return whether the provider supports the whole file: without fallback only that loads. */
    private fun coverage(file: File, kind: DelegateKind, threads: Int?): String = try {
        val environment = OrtEnvironment.getEnvironment()
        session(environment, file, kind, threads, isStrict = true).close()
        "whole"
    } catch (_: OrtException) {
        "part"
    }

    companion object {
        /** Extension of the files that it runs. */
        const val SUFFIX = ".onnx"
        private const val NO_FALLBACK = "session.disable_cpu_ep_fallback"
        private const val SPINNING = "session.intra_op.allow_spinning"
        private const val THREADS = "intra_op_num_threads"
    }
}

/**
 * `.onnx` file in ONNX Runtime, which reads and writes the direct buffers without a copy.
 *
 * @param readEffective returns the effective settings; called once.
 */
class OnnxSession(
    environment: OrtEnvironment,
    private val session: OrtSession,
    cell: JobCell,
    readEffective: () -> Map<String, String>,
) : Session {
    private val inputs = TensorBuffers(cell.inputs, cell.size)
    private val outputs = TensorBuffers(cell.outputs, cell.size)
    private val inputTensors = tensors(environment, cell.inputs, inputs)
    private val outputTensors = tensors(environment, cell.outputs, outputs)

    override val effective: Map<String, String> by lazy(LazyThreadSafetyMode.NONE, readEffective)

    override fun feed(inputs: Map<String, Tensor>): Unit = this.inputs.encode(inputs)

    override fun invoke() {
        session.run(inputTensors, outputTensors).close()
    }

    override fun fetch(): Map<String, Tensor> = outputs.decode()

    override fun close() {
        (inputTensors.values + outputTensors.values).forEach(OnnxTensor::close)
        session.close()
    }

    private fun tensors(
        environment: OrtEnvironment, facts: List<TensorFact>, buffers: TensorBuffers,
    ) = facts.associate { fact ->
            val buffer = buffers.buffers.getValue(fact.name)
            val shape = buffers.shapeOf(fact.name)
            fact.name to OnnxTensor.createTensor(environment, buffer, shape, typeOf(fact.dtype))
        }

    private fun typeOf(dtype: ElementType): OnnxJavaType = when (dtype) {
        ElementType.FLOAT32 -> OnnxJavaType.FLOAT
        ElementType.FLOAT16 -> OnnxJavaType.FLOAT16
        ElementType.UINT8 -> OnnxJavaType.UINT8
    }
}
