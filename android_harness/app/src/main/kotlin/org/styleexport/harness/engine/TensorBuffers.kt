package org.styleexport.harness.engine

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.styleexport.contract.arithmetic.FileTensor
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorFact

/** Direct buffers of a file's inputs, or of its outputs, by name. */
class TensorBuffers(facts: List<TensorFact>, size: SizeFact) {
    private val tensors = facts.associate { it.name to FileTensor.of(it, size.height, size.width) }

    /** Buffers by name, in the order of the file. */
    val buffers: Map<String, ByteBuffer> = tensors.mapValues { (_, tensor) ->
        ByteBuffer.allocateDirect(tensor.bytes).order(ByteOrder.nativeOrder())
    }

    /** Return the shape of a tensor in the file's layout. */
    fun shapeOf(name: String): LongArray =
        tensors.getValue(name).shape.map(Int::toLong).toLongArray()

    /** Convert tensors into the buffers. */
    fun encode(values: Map<String, Tensor>) {
        for ((name, tensor) in tensors) {
            val value = requireNotNull(values[name]) { "the input $name is missing" }
            tensor.encode(value, buffers.getValue(name))
        }
    }

    /** Convert the buffers to tensors. */
    fun decode(): Map<String, Tensor> =
        tensors.mapValues { (name, tensor) -> tensor.decode(buffers.getValue(name)) }
}
