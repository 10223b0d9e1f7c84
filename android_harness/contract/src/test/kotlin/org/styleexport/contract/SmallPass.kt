package org.styleexport.contract

import kotlin.test.assertEquals
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.measure.Session

/** Pass of the small network of `tests/contract/tiled_network.py`. */
internal class SmallPass(
    private val file: FileFact, private val change: (Map<String, Tensor>) -> Map<String, Tensor>,
) : Session {
    private var fed = emptyMap<String, Tensor>()
    override val effective = mapOf("engine" to "small")

    override fun feed(inputs: Map<String, Tensor>) {
        assertEquals(file.inputs.map { it.name }.toSet(), inputs.keys)
        for (fact in file.inputs) assertEquals(fact.shape, inputs.getValue(fact.name).shape)
        fed = inputs
    }

    override fun invoke() = Unit

    override fun close() = Unit

    override fun fetch(): Map<String, Tensor> = change(
        when (file.outputs.first().name) {
            "map_0" -> features()
            "map_1" -> normalized()
            else -> painted()
        },
    )

    private fun features(): Map<String, Tensor> {
        val pooled = at("content").resized(1, 4)
        val (height, width) = pooled.shape.drop(2)
        val blurred = made(height, width) { channel, row, column ->
            var sum = 0f
            for (y in row - 1..row + 1) {
                for (x in column - 1..column + 1) {
                    val (near, beside) = y.coerceIn(0, height - 1) to x.coerceIn(0, width - 1)
                    sum += pooled.data[(channel * height + near) * width + beside]
                }
            }
            sum / 9
        }
        val mean = means(blurred, 4) { _, value -> value }
        val spread = means(blurred, 4) { channel, value ->
            (value - mean[channel]) * (value - mean[channel])
        }
        return mapOf("map_0" to blurred, "statistic_0" to Tensor(listOf(1, 6), mean + spread))
    }

    private fun normalized(): Map<String, Tensor> {
        val (map, moments) = at("map_0") to at("statistic_0").data
        val (code, strength) = at("style_code").data to at("strength").data.single()
        val (height, width) = map.shape.drop(2)
        val mixed = made(height, width) { channel, row, column ->
            val value = map.data[(channel * height + row) * width + column]
            val deviation = Math.sqrt(moments[3 + channel] + 1e-5).toFloat()
            val styled = (value - moments[channel]) / deviation * code[3 + channel] + code[channel]
            value + strength * (styled - value)
        }
        val enlarged = mixed.resized(2, 1)
        val mean = means(enlarged, 2) { _, value -> value }
        return mapOf("map_1" to enlarged, "statistic_1" to Tensor(listOf(1, 3), mean))
    }

    private fun painted(): Map<String, Tensor> {
        val (content, means) = at("content") to at("statistic_1").data
        val enlarged = at("map_1").resized(2, 1)
        val (height, width) = content.shape.drop(2)
        val image = made(height, width) { channel, row, column ->
            val index = (channel * height + row) * width + column
            (content.data[index] + enlarged.data[index] - means[channel] + 0.5f) / 2
        }
        return mapOf("image" to image)
    }

    private fun at(name: String) = fed.getValue(name)

    private fun made(height: Int, width: Int, value: (Int, Int, Int) -> Float): Tensor {
        val image = Tensor.image(height, width)
        for (index in image.data.indices) {
            val (channel, pixel) = index / (height * width) to index % (height * width)
            image.data[index] = value(channel, pixel / width, pixel % width)
        }
        return image
    }

    /** Return a map of `up` elements for each, and of means of `down` times as many. */
    private fun Tensor.resized(up: Int, down: Int): Tensor {
        val (height, width) = shape.drop(2)
        return made(height * up / down, width * up / down) { channel, row, column ->
            var sum = 0f
            for (y in 0 until down) {
                for (x in 0 until down) {
                    val (from, beside) = (row * down + y) / up to (column * down + x) / up
                    sum += data[(channel * height + from) * width + beside]
                }
            }
            sum / (down * down)
        }
    }

    private fun means(map: Tensor, stride: Int, value: (Int, Float) -> Float): FloatArray {
        val (height, width) = map.shape.drop(2)
        val (top, left, bottom, right) = at("region").data.map { it.toInt() / stride }
        return FloatArray(3) { channel ->
            var sum = 0.0
            for (row in top until bottom) {
                for (column in left until right) {
                    sum += value(channel, map.data[(channel * height + row) * width + column])
                }
            }
            (sum / ((bottom - top) * (right - left))).toFloat()
        }
    }
}
