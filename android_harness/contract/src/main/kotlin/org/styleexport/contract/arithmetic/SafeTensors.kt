package org.styleexport.contract.arithmetic

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.styleexport.contract.json.ContractError
import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.JsonObject
import org.styleexport.contract.json.JsonReader
import org.styleexport.contract.json.Readers

/**
 * Tensors of float32 from a `.safetensors` file: what probes and packs of styles are kept in.
 *
 * The file is eight bytes of header length, little-endian, a JSON header, and the elements:
 * https://github.com/huggingface/safetensors#format.
 */
public object SafeTensors {
    private const val LENGTH_BYTES = 8
    private const val METADATA = "__metadata__"
    private const val ELEMENT_BYTES = 4L

    private class Entry(val name: String, val shape: List<Int>, val begin: Long, val end: Long)

    /**
     * Return name → tensor.
     *
     * @throws ContractError the file is cut short, its tensors overlap, or they are not float32;
     *   `where` is the tensor at fault, `$` the whole.
     */
    public fun read(bytes: ByteArray): Map<String, Tensor> {
        val buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
        if (bytes.size < LENGTH_BYTES) throw whole("${bytes.size} bytes hold no header")
        val length = buffer.getLong(0)
        if (length < 0 || length > bytes.size - LENGTH_BYTES) {
            throw whole("cut short: the header is longer than the file")
        }
        val begin = LENGTH_BYTES + length.toInt()
        val entries = entries(bytes.copyOfRange(LENGTH_BYTES, begin))
        checkOrder(entries, bytes.size.toLong() - begin)
        return entries.associate { it.name to tensor(it, buffer, begin) }
    }

    private fun entries(header: ByteArray): List<Entry> {
        val found = JsonReader.read(header) as? JsonObject ?: throw whole("the header is no object")
        return found.members.filterKeys { it != METADATA }.map { (name, fact) ->
            Fields.strict { entry(name, it) }(fact, name)
        }
    }

    private fun entry(name: String, fields: Fields): Entry {
        val dtype = fields.required("dtype", Readers.text)
        if (dtype != "F32") throw ContractError(name, "elements are $dtype, expected F32")
        val shape = fields.required("shape", Readers.list(Readers.int(0)))
        val (begin, end) = fields.required("data_offsets", Readers.list(Readers.count, 2, 2))
        val elements = shape.fold(1L) { product, side -> product * side }
        if (end - begin != ELEMENT_BYTES * elements) {
            throw ContractError(name, "${end - begin} bytes for $elements elements")
        }
        return Entry(name, shape, begin, end)
    }

    /** Tensors lie one behind the other and fill the file. */
    private fun checkOrder(entries: List<Entry>, held: Long) {
        var expected = 0L
        for (entry in entries.sortedBy { it.begin }) {
            if (entry.begin != expected) {
                throw ContractError(entry.name, "begins at ${entry.begin}, expected $expected")
            }
            expected = entry.end
        }
        if (expected != held) throw whole("$held bytes of elements, expected $expected")
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
