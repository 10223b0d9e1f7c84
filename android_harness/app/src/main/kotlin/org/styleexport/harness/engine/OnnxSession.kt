package org.styleexport.harness.engine

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.CellWish
import org.styleexport.contract.facts.ElementType
import org.styleexport.contract.facts.TensorFact
import org.styleexport.contract.measure.Session

/**
 * A `.onnx` file in ONNX Runtime, which reads and writes the buffers of inputs and outputs itself.
 *
 * @param tell settings as they really are; asked for once.
 */
class OnnxSession(
    environment: OrtEnvironment,
    private val session: OrtSession,
    wish: CellWish,
    tell: () -> Map<String, String>,
) : Session {
    private val inputs = FileEnds(wish.inputs, wish.size)
    private val outputs = FileEnds(wish.outputs, wish.size)
    private val fed = tensors(environment, wish.inputs, inputs)
    private val given = tensors(environment, wish.outputs, outputs)

    override val effective: Map<String, String> by lazy(LazyThreadSafetyMode.NONE, tell)

    override fun feed(inputs: Map<String, Tensor>): Unit = this.inputs.encode(inputs)

    override fun invoke() {
        session.run(fed, given).close()
    }

    override fun fetch(): Map<String, Tensor> = outputs.decode()

    override fun close() {
        (fed.values + given.values).forEach(OnnxTensor::close)
        session.close()
    }

    private fun tensors(environment: OrtEnvironment, facts: List<TensorFact>, ends: FileEnds) =
        facts.associate { fact ->
            val buffer = ends.buffers.getValue(fact.name)
            val shape = ends.shapeOf(fact.name)
            fact.name to OnnxTensor.createTensor(environment, buffer, shape, typeOf(fact.dtype))
        }

    private fun typeOf(dtype: ElementType): OnnxJavaType = when (dtype) {
        ElementType.FLOAT32 -> OnnxJavaType.FLOAT
        ElementType.FLOAT16 -> OnnxJavaType.FLOAT16
        ElementType.UINT8 -> OnnxJavaType.UINT8
    }
}
