package org.styleexport.harness.engine

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.styleexport.contract.arithmetic.FileTensor
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorFact

/** The inputs, or the outputs, of a file: each with a buffer outside the heap, by name. */
class FileEnds(facts: List<TensorFact>, size: SizeFact) {
    private val tensors = facts.associate { it.name to FileTensor.of(it, size.height, size.width) }

    /** Name → buffer, in the file's order. */
    val buffers: Map<String, ByteBuffer> = tensors.mapValues { (_, tensor) ->
        ByteBuffer.allocateDirect(tensor.bytes).order(ByteOrder.nativeOrder())
    }

    /** Return the shape that the file has of one. */
    fun shapeOf(name: String): LongArray =
        tensors.getValue(name).shape.map(Int::toLong).toLongArray()

    /** Write tensors into the buffers. */
    fun encode(held: Map<String, Tensor>) {
        for ((name, tensor) in tensors) {
            val given = requireNotNull(held[name]) { "the input $name is missing" }
            tensor.encode(given, buffers.getValue(name))
        }
    }

    /** Return the tensors that the buffers hold. */
    fun decode(): Map<String, Tensor> =
        tensors.mapValues { (name, tensor) -> tensor.decode(buffers.getValue(name)) }
}
