package org.styleexport.contract.stylize

import java.io.Closeable
import org.styleexport.contract.arithmetic.Mirror
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.SizeFact

/** Picture that is read window by window. */
public interface TilePicture {
    /** Height and width. */
    public val size: SizeFact

    /** Return the pixels of some rows and columns, [1, 3, rows, columns] in 0..1. */
    public fun window(rows: IntArray, columns: IntArray): Tensor
}

/** Picture in memory, [1, 3, H, W] in 0..1. */
public class TensorPicture(private val image: Tensor) : TilePicture {
    override val size: SizeFact get() = SizeFact(image.shape[2], image.shape[3])

    override fun window(rows: IntArray, columns: IntArray): Tensor =
        Mirror.gather(image, rows, columns)
}

/**
 * Progress of a painting in tiles.
 *
 * @property done number of tiles done, of all passes.
 * @property total number of tiles of all passes.
 */
public data class TileProgress(public val done: Int, public val total: Int)

/** Receives a part of a painting, [1, 3, h, w], and where it begins. */
public fun interface TileWriter {
    /** Write a part. */
    public fun write(top: Int, left: Int, pixels: Tensor)
}

/**
 * Mixes a painting with its picture, for networks of one style, which take no strength.
 *
 * @property scale pixels of the painting along a side, for each of the picture.
 * @property strength 0 keeps the picture, 1 is the painting.
 */
public class MixedWriter(
    private val picture: TilePicture,
    private val scale: Int,
    private val strength: Float,
    private val writer: TileWriter,
) : TileWriter {
    override fun write(top: Int, left: Int, pixels: Tensor) {
        val (height, width) = pixels.shape.drop(2)
        val content = picture.window(
            IntArray(height) { (top + it) / scale }, IntArray(width) { (left + it) / scale },
        )
        for (index in pixels.data.indices) {
            content.data[index] += strength * (pixels.data[index] - content.data[index])
        }
        writer.write(top, left, content)
    }
}

/** Picture after the passes that do not depend on the style; closing it removes its files. */
public class TiledFeatures internal constructor(
    /** The picture. */
    public val picture: TilePicture,
    internal val isKept: Boolean,
    internal val store: MapStore,
) : Closeable {
    /** Statistics as files take them, by name. */
    internal var statistics: Map<String, Tensor> = emptyMap()
        set(value) {
            field = value
            names = store.names
        }

    /** Names of the maps. */
    internal var names: Set<String> = emptySet()
        private set

    override fun close(): Unit = store.close()
}
