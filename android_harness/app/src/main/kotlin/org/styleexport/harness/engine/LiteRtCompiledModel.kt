package org.styleexport.harness.engine

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.TensorBuffer
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Date
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.facts.TensorFact
import org.styleexport.contract.measure.DelegateKind
import org.styleexport.contract.measure.GpuPrecision
import org.styleexport.contract.measure.LiteRtRequest
import org.styleexport.contract.measure.Session

/**
 * `.tflite` file in LiteRT's `CompiledModel`, on the CPU or whole on the GPU.
 *
 * It is given one accelerator: with the CPU beside the GPU, LiteRT would silently run on the CPU
 * what the GPU refuses, or everything where the phone has no GPU library.
 *
 * `feed` includes the copies into LiteRT's buffers. `invoke` includes the run and the copies of the
 * outputs into the app's memory: only reading them waits for the GPU. Each read allocates an array,
 * which the Kotlin API always does. `fetch` converts these arrays.
 *
 * @param threads number of threads of the CPU; null is LiteRT's default.
 * @param effective effective settings.
 */
class LiteRtCompiledModel(
    file: File, cell: JobCell, threads: Int?, private val request: LiteRtRequest,
    override val effective: Map<String, String>,
) : Session {
    private val loadStart = Date()
    private val model = CompiledModel.create(file.path, options(request, threads))
    private val open = ArrayList<AutoCloseable>().apply { add(model) }
    private val inputs = TensorBuffers(cell.inputs, cell.size)
    private val outputs = TensorBuffers(cell.outputs, cell.size)
    private val sources: Map<String, Host>
    private val sinks: Map<String, Host>

    init {
        try {
            sources = hosts(cell.inputs, inputs) { model.createInputBuffer(it) }
            sinks = hosts(cell.outputs, outputs) { model.createOutputBuffer(it) }
        } catch (error: Throwable) {
            close()
            throw error
        }
    }

    private val fed = sources.mapValues { it.value.device }
    private val written = sinks.mapValues { it.value.device }

    /** LiteRT loads no file of which the GPU alone does not take every operation. */
    override val placement: Map<String, Double>
        get() = if (request.isGpu) {
            mapOf(DelegateKind.GPU.text to 1.0)
        } else {
            ProcessLog.cpuPlacement(loadStart)
        }

    override fun feed(inputs: Map<String, Tensor>) {
        this.inputs.encode(inputs)
        sources.values.forEach(Host::write)
    }

    override fun invoke() {
        model.run(fed, written)
        sinks.values.forEach(Host::read)
    }

    override fun fetch(): Map<String, Tensor> {
        sinks.values.forEach(Host::store)
        return outputs.decode()
    }

    override fun close() {
        // The model is closed after its buffers.
        open.asReversed().forEach(AutoCloseable::close)
        open.clear()
    }

    private fun hosts(
        facts: List<TensorFact>, buffers: TensorBuffers, create: (String) -> TensorBuffer,
    ): Map<String, Host> = facts.associate { fact ->
        val device = create(fact.name)
        open.add(device)
        val bytes = buffers.buffers.getValue(fact.name)
        val isFloat = fact.dtype == ElementType.FLOAT32
        fact.name to if (isFloat) FloatHost(device, bytes) else ByteHost(device, bytes)
    }

    private companion object {
        fun options(request: LiteRtRequest, threads: Int?): CompiledModel.Options =
            if (request.isGpu) {
                CompiledModel.Options(Accelerator.GPU).apply {
                    gpuOptions = CompiledModel.GpuOptions(precision = precision(request.precision))
                }
            } else {
                CompiledModel.Options(Accelerator.CPU).apply {
                    cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
                }
            }

        fun precision(precision: GpuPrecision?): CompiledModel.GpuOptions.Precision? =
            when (precision) {
                null -> null
                GpuPrecision.FP16 -> CompiledModel.GpuOptions.Precision.FP16
                GpuPrecision.FP16_FP32_SUMS ->
                    CompiledModel.GpuOptions.Precision.FP16_WITH_FP32_ACCUM
                GpuPrecision.FP32 -> CompiledModel.GpuOptions.Precision.FP32
            }
    }
}

/**
 * Buffer of LiteRT and the app's copy of it.
 *
 * @property device LiteRT's buffer.
 */
private abstract class Host(val device: TensorBuffer) {
    /** Copy the app's values into LiteRT's buffer. */
    abstract fun write()

    /** Wait for LiteRT's buffer, and read it. */
    abstract fun read()

    /** Copy what was read to where it is converted. */
    abstract fun store()
}

private class FloatHost(device: TensorBuffer, bytes: ByteBuffer) : Host(device) {
    private val floats = bytes.order(ByteOrder.nativeOrder()).asFloatBuffer()
    private var values = FloatArray(floats.capacity())

    override fun write() {
        floats.rewind()
        floats.get(values)
        device.writeFloat(values)
    }

    override fun read() {
        values = device.readFloat()
    }

    override fun store() {
        floats.rewind()
        floats.put(values)
    }
}

/** Bytes of a uint8 tensor, which Kotlin's API carries as int8. */
private class ByteHost(device: TensorBuffer, private val bytes: ByteBuffer) : Host(device) {
    private var values = ByteArray(bytes.capacity())

    override fun write() {
        bytes.rewind()
        bytes.get(values)
        device.writeInt8(values)
    }

    override fun read() {
        values = device.readInt8()
    }

    override fun store() {
        bytes.rewind()
        bytes.put(values)
    }
}
