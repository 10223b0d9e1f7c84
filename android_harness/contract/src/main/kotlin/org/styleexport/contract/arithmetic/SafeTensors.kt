package org.styleexport.contract.arithmetic

import com.google.gson.JsonObject
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.StrictJson
import org.styleexport.contract.json.Values

/**
 * Reader of float32 `.safetensors` files: probes and style packs.
 *
 * The format is the header length (8 bytes, little-endian), a JSON header, and the elements:
 * https://github.com/huggingface/safetensors#format.
 */
public object SafeTensors {
    private const val LENGTH_BYTES = 8
    private const val METADATA = "__metadata__"
    private const val ELEMENT_BYTES = 4L

    private class Entry(val name: String, val shape: List<Int>, val begin: Long, val end: Long)

    /**
     * Return the tensors by name.
     *
     * @throws ContractError the file is truncated, tensors overlap, or one is not float32; `where`
     *   is the name of the faulty tensor, or `$` for the file.
     */
    public fun read(bytes: ByteArray): Map<String, Tensor> {
        val buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
        if (bytes.size < LENGTH_BYTES) throw whole("${bytes.size} bytes hold no header")
        val length = buffer.getLong(0)
        if (length < 0 || length > bytes.size - LENGTH_BYTES) {
            throw whole("truncated: the header is longer than the file")
        }
        val begin = LENGTH_BYTES + length.toInt()
        val entries = entries(bytes.copyOfRange(LENGTH_BYTES, begin))
        checkOrder(entries, bytes.size.toLong() - begin)
        return entries.associate { it.name to tensor(it, buffer, begin) }
    }

    private fun entries(header: ByteArray): List<Entry> {
        val tensors = StrictJson.parse(header) as? JsonObject
            ?: throw whole("the header is not an object")
        return tensors.entrySet().filter { it.key != METADATA }.map { (name, fact) ->
            Fields.closed { entry(name, this) }(fact, name)
        }
    }

    private fun entry(name: String, fields: Fields): Entry {
        val dtype = fields.required("dtype", Values.text())
        if (dtype != "F32") throw ContractError(name, "elements are $dtype, expected F32")
        val shape = fields.required("shape", Values.list(Values.int(0)))
        val (begin, end) = fields.required("data_offsets", Values.list(Values.long(min = 0), 2, 2))
        val elements = shape.fold(1L) { product, side -> product * side }
        if (end - begin != ELEMENT_BYTES * elements) {
            throw ContractError(name, "${end - begin} bytes for $elements elements")
        }
        return Entry(name, shape, begin, end)
    }

    /** Tensors are contiguous and fill the file. */
    private fun checkOrder(entries: List<Entry>, dataBytes: Long) {
        var expected = 0L
        for (entry in entries.sortedBy { it.begin }) {
            if (entry.begin != expected) {
                throw ContractError(entry.name, "begins at ${entry.begin}, expected $expected")
            }
            expected = entry.end
        }
        if (expected != dataBytes) {
            throw whole("$dataBytes bytes of elements, expected $expected")
        }
    }

    private fun tensor(entry: Entry, buffer: ByteBuffer, begin: Int): Tensor {
        val first = begin + entry.begin.toInt()
        val count = ((entry.end - entry.begin) / ELEMENT_BYTES).toInt()
        val data = FloatArray(count) { buffer.getFloat(first + it * ELEMENT_BYTES.toInt()) }
        return Tensor(entry.shape, data)
    }

    private fun whole(reason: String) =
        ContractError(ContractError.WHOLE, "not a safetensors file: $reason")
}
