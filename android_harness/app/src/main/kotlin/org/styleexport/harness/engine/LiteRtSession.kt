package org.styleexport.harness.engine

import java.util.Date
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.measure.DelegateLog
import org.styleexport.contract.measure.Session
import org.styleexport.harness.device.OwnLog
import org.tensorflow.lite.Delegate
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.nnapi.NnApiDelegate

/**
 * A `.tflite` file in LiteRT's interpreter.
 *
 * `invoke` holds the copies that the Java API makes of inputs and outputs: it has no call without.
 *
 * @param begun when it began to be loaded: what its delegates took stands in the log since then.
 */
class LiteRtSession(
    private val interpreter: Interpreter,
    private val delegate: Delegate?,
    wish: CellWish,
    private val settings: Map<String, String>,
    private val begun: Date,
) : Session {
    private val inputs = FileEnds(wish.inputs, wish.size)
    private val outputs = FileEnds(wish.outputs, wish.size)
    private val signature: String? = interpreter.signatureKeys.firstOrNull()

    override val effective: Map<String, String>
        get() = if (delegate is NnApiDelegate && delegate.hasErrors()) {
            settings + ("nnapi_errno" to delegate.nnapiErrno.toString())
        } else {
            settings
        }

    override val placement: Map<String, Double>
        get() {
            val shares = DelegateLog.shares(OwnLog.since(begun, LOG_TAG))
            if (shares.isEmpty()) return shares
            val rest = 1.0 - shares.values.sum()
            return if (rest > 0) shares + (Delegates.CPU.text to rest) else shares
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
        // The interpreter uses its delegate until it is gone.
        interpreter.close()
        delegate?.close()
    }

    private companion object {
        const val LOG_TAG = "tflite"
    }
}
