package org.styleexport.harness.engine

import java.io.File
import java.util.Date
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.JobCell
import org.styleexport.contract.measure.Session
import org.tensorflow.lite.Interpreter

/**
 * `.tflite` file in LiteRT's interpreter, on the CPU.
 *
 * `invoke` includes copies of inputs and outputs, which the Java API always makes.
 *
 * @param threads number of threads; null is LiteRT's default.
 * @param effective effective settings.
 */
class LiteRtInterpreter(
    file: File, cell: JobCell, threads: Int?, override val effective: Map<String, String>,
) : Session {
    private val loadStart = Date()
    private val interpreter = Interpreter(file, options(threads))
    private val inputs = TensorBuffers(cell.inputs, cell.size)
    private val outputs = TensorBuffers(cell.outputs, cell.size)
    private val signature: String? = interpreter.signatureKeys.firstOrNull()

    override val placement: Map<String, Double> get() = ProcessLog.cpuPlacement(loadStart)

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

    override fun close(): Unit = interpreter.close()

    private companion object {
        fun options(threads: Int?) = Interpreter.Options().apply {
            if (threads != null) setNumThreads(threads)
            // LiteRT's CPU kernels are XNNPACK's; it has no faster ones.
            setUseXNNPACK(true)
        }
    }
}
