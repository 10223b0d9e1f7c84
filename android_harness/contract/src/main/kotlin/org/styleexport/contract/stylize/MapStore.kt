package org.styleexport.contract.stylize

import java.io.Closeable
import java.io.EOFException
import java.io.File
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.arithmetic.Tile
import org.styleexport.contract.facts.SizeFact

/**
 * Feature map of a whole picture in a file, written and read window by window.
 *
 * The file holds rows of pixels of channels, float32: a row of a window is one piece of it.
 */
internal class StoredMap(
    private val file: File, private val channels: Int, private val size: SizeFact,
) : Closeable {
    private val access = RandomAccessFile(file, "rw")
    private var bytes: ByteBuffer = buffer(0)
    private var floats: FloatBuffer = bytes.asFloatBuffer()

    /** Write a tile's part of the map of its window, [1, channels, height, width]. */
    fun write(tile: Tile, window: Tensor) {
        val (height, width) = window.shape.drop(2)
        val (top, left) = tile.region
        for (row in 0 until tile.rows.length) {
            reserve(tile.columns.length)
            for (channel in 0 until channels) {
                val from = (channel * height + top + row) * width + left
                for (column in 0 until tile.columns.length) {
                    floats.put(column * channels + channel, window.data[from + column])
                }
            }
            seek(tile.rows.begin + row, tile.columns.begin)
            while (bytes.hasRemaining()) access.channel.write(bytes)
        }
    }

    /** Return a window, [1, channels, height, width]. */
    fun window(top: Int, left: Int, height: Int, width: Int): Tensor {
        val data = FloatArray(channels * height * width)
        for (row in 0 until height) {
            reserve(width)
            seek(top + row, left)
            while (bytes.hasRemaining()) {
                if (access.channel.read(bytes) < 0) throw EOFException("${file.name} ends early")
            }
            for (channel in 0 until channels) {
                val into = (channel * height + row) * width
                for (column in 0 until width) {
                    data[into + column] = floats.get(column * channels + channel)
                }
            }
        }
        return Tensor(listOf(1, channels, height, width), data)
    }

    /** Remove the file. */
    override fun close() {
        access.close()
        file.delete()
    }

    private fun seek(row: Int, column: Int) {
        access.seek(Float.SIZE_BYTES * ((row.toLong() * size.width + column) * channels))
    }

    /** Make room for a number of pixels. */
    private fun reserve(pixels: Int) {
        val length = Float.SIZE_BYTES * channels * pixels
        if (bytes.capacity() < length) {
            bytes = buffer(length)
            floats = bytes.asFloatBuffer()
        }
        bytes.clear()
        bytes.limit(length)
    }

    private fun buffer(length: Int) =
        ByteBuffer.allocateDirect(length).order(ByteOrder.nativeOrder())
}

/** Maps of one picture by name, in a folder of their own that is removed with them. */
internal class MapStore(parent: File) : Closeable {
    private val folder = parent.apply { mkdirs() }.let { File.createTempFile("maps-", "", it) }
        .apply { delete() }.apply { mkdirs() }
    private val maps = HashMap<String, StoredMap>()

    /** Names of the maps. */
    val names: Set<String> get() = maps.keys.toSet()

    /** Make room for a map. */
    fun add(name: String, channels: Int, size: SizeFact) {
        maps.put(name, StoredMap(File(folder, name), channels, size))?.close()
    }

    /** Return a map. */
    operator fun get(name: String): StoredMap =
        requireNotNull(maps[name]) { "no pass before it gives $name" }

    /** Remove a map. */
    fun remove(name: String) {
        maps.remove(name)?.close()
    }

    override fun close() {
        names.forEach(::remove)
        folder.delete()
    }
}
