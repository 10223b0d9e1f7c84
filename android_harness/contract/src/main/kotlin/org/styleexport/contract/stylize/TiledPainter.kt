package org.styleexport.contract.stylize

import java.io.File
import java.io.IOException
import java.util.Locale
import java.util.concurrent.CancellationException
import org.styleexport.contract.arithmetic.FileTensor
import org.styleexport.contract.arithmetic.MergedStatistic
import org.styleexport.contract.arithmetic.Mirror
import org.styleexport.contract.arithmetic.Span
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.arithmetic.Tile
import org.styleexport.contract.arithmetic.TileGrid
import org.styleexport.contract.arithmetic.mapShape
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.Role
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.facts.TilingFact
import org.styleexport.contract.measure.Session

/**
 * Paints pictures of any size in tiles, exactly as if they were one.
 *
 * Each pass sees all tiles, and only then are its statistics known. Passes that do not depend on
 * the style are run once: another strength or style renders from the maps that they stored.
 *
 * @property tiling entry of the manifest.
 * @property files files of the manifest.
 * @property folder folder in which maps are stored.
 * @property open loads a file; it is closed after its pass.
 */
public class TiledPainter(
    private val tiling: TilingFact,
    files: List<FileFact>,
    private val folder: File,
    private val open: (FileFact) -> Session,
) {
    private val passes = tiling.passes.map { pass ->
        requireNotNull(files.firstOrNull { it.path == pass.path }) {
            "the manifest does not list ${pass.path}: export the network again"
        }
    }

    /** Number of the passes that do not depend on the style. */
    private val shared = passes.indexOfFirst { it.role == Role.RENDER }

    /** Pixels of a painting along a side, for each of the picture. */
    public val scale: Int
        get() {
            val fact = passes.last().outputs.first { it.kind == TensorKind.IMAGE }
            val (height, width) = tiling.window
            return FileTensor.of(fact, height, width).tensorShape[2] / height
        }

    /** Whether the files take the strength; where not, see [MixedWriter]. */
    public val takesStrength: Boolean
        get() = passes.any { pass -> pass.inputs.any { it.kind == TensorKind.STRENGTH } }

    /** Return the number of tiles of all passes. */
    public fun total(picture: SizeFact): Int {
        val grid = TileGrid.of(picture, tiling)
        return tiling.passes.sumOf { grid.tiles(it).size }
    }

    /** Return the bytes of storage that maps take; `keep` is that of [features]. */
    public fun neededBytes(picture: SizeFact, keep: Boolean): Long {
        val gives = passes.map { pass -> pass.outputs.map { it.name }.toSet() }
        val reads = passes.map { pass -> pass.inputs.map { it.name }.toSet() }
        val kept = if (keep) gives.take(shared).flatten().toSet() else emptySet()
        return TileGrid.of(picture, tiling).storedBytes(reads, gives, kept)
    }

    /**
     * Run the passes that do not depend on the style.
     *
     * @param keep whether the maps are kept after [render], for another one.
     * @param report receives the progress, and returns whether to go on.
     * @throws IOException the storage has no room for the maps.
     * @throws ArithmeticException a file computes values that are not finite.
     * @throws CancellationException the report said so.
     */
    public fun features(
        picture: TilePicture, keep: Boolean, report: (TileProgress) -> Boolean,
    ): TiledFeatures {
        checkRoom(picture.size, keep)
        val features = TiledFeatures(picture, keep, MapStore(folder))
        try {
            val runs = PassRuns(features, emptyMap(), report) { _, _, _ ->
                error("a pass of features gives no picture")
            }
            (0 until shared).forEach(runs::run)
            features.statistics = runs.statistics
            return features
        } catch (error: Throwable) {
            features.close()
            throw error
        }
    }

    /**
     * Run the passes that depend on the style; where features are not kept, they are used up.
     *
     * @param inputs `style_code` and `strength`, where the files take them.
     * @param writer takes the painting tile by tile.
     * @throws IOException see [features].
     */
    public fun render(
        features: TiledFeatures, inputs: Map<String, Tensor>, report: (TileProgress) -> Boolean,
        writer: TileWriter,
    ) {
        val before = features.store.names
        val runs = PassRuns(features, inputs, report, writer)
        try {
            (shared until passes.size).forEach(runs::run)
        } finally {
            // What a painting that was cancelled left.
            (features.store.names - before).forEach(features.store::remove)
        }
    }

    /**
     * Return the painting of a picture in memory, [1, 3, k·H, k·W].
     *
     * @param inputs the picture, `content`, and what [render] takes.
     * @throws IOException see [features].
     */
    public fun painting(inputs: Map<String, Tensor>): Tensor {
        val picture = TensorPicture(requireNotNull(inputs["content"]) { "there is no content" })
        val parts = ArrayList<Triple<Int, Int, Tensor>>()
        features(picture, keep = false) { true }.use { features ->
            render(features, inputs, { true }) { top, left, part ->
                parts.add(Triple(top, left, part))
            }
        }
        val image = Tensor.image(
            parts.maxOf { (top, _, part) -> top + part.shape[2] },
            parts.maxOf { (_, left, part) -> left + part.shape[3] },
        )
        parts.forEach { (top, left, part) -> image.put(top, left, part) }
        return image
    }

    private fun checkRoom(picture: SizeFact, keep: Boolean) {
        val needed = neededBytes(picture, keep)
        val free = folder.apply { mkdirs() }.usableSpace
        if (needed > free) {
            throw IOException(
                "feature maps of ${picture.width}x${picture.height} pixels take ${size(needed)} " +
                    "of storage, and ${size(free)} are free: make room, or paint a smaller photo",
            )
        }
    }

    private fun size(bytes: Long) = String.format(Locale.ROOT, "%.1f GB", bytes / 1e9)

    /** One pass after the other over the tiles of a picture. */
    private inner class PassRuns(
        private val features: TiledFeatures,
        private val inputs: Map<String, Tensor>,
        private val report: (TileProgress) -> Boolean,
        private val writer: TileWriter,
    ) {
        private val picture = features.picture
        private val store = features.store
        private val grid = TileGrid.of(picture.size, tiling)
        private val maps = tiling.maps.associateBy { it.name }
        private val total = total(picture.size)

        /** Statistics of the passes so far. */
        var statistics: Map<String, Tensor> = features.statistics
            private set

        fun run(number: Int) {
            val file = passes[number]
            val tiles = grid.tiles(tiling.passes[number])
            val before = tiling.passes.take(number).sumOf { grid.tiles(it).size }
            for (name in namesOf(file, TensorKind.MAP)) {
                val map = maps.getValue(name)
                store.add(name, map.channels, grid.sizeOf(map.mapShape))
            }
            val merged = tiling.statistics
                .filter { it.name in namesOf(file, TensorKind.STATISTIC) }
                .map { it to MergedStatistic(it) }
            open(file).use { session ->
                tiles.forEachIndexed { index, tile ->
                    session.feed(inputsOf(file, tile))
                    session.invoke()
                    val outputs = session.fetch()
                    keep(file, tile, outputs)
                    for ((fact, statistic) in merged) {
                        val values = outputs.getValue(fact.name).data
                        statistic.add(grid.places(tile, fact.mapShape), values)
                    }
                    if (!report(TileProgress(before + index + 1, total))) {
                        throw CancellationException("the painting was cancelled")
                    }
                }
            }
            statistics = statistics + merged.associate { (fact, all) -> fact.name to all.given() }
            dropUnread(number)
        }

        private fun namesOf(file: FileFact, kind: TensorKind) =
            file.outputs.filter { it.kind == kind }.map { it.name }

        /** Store the maps of a tile, or write its part of the painting. */
        private fun keep(file: FileFact, tile: Tile, outputs: Map<String, Tensor>) {
            for (fact in file.outputs) {
                val output = outputs.getValue(fact.name)
                if (output.data.any { it.isNaN() || it.isInfinite() }) {
                    throw ArithmeticException("${file.path} computes values that are not finite")
                }
                if (fact.kind == TensorKind.MAP) {
                    val map = maps.getValue(fact.name).mapShape
                    store[fact.name].write(grid.inner(tile, map), output)
                } else if (fact.kind == TensorKind.IMAGE) {
                    give(tile, output)
                }
            }
        }

        /** Write a tile's part of the painting that lies in the picture. */
        private fun give(tile: Tile, image: Tensor) {
            val rows = inside(tile.rows, picture.size.height, scale)
            val columns = inside(tile.columns, picture.size.width, scale)
            if (rows.isEmpty() || columns.isEmpty()) return
            val pixels = Mirror.gather(image, rows, columns)
            writer.write(scale * tile.rows.begin, scale * tile.columns.begin, pixels)
        }

        /** Return the places in a window of a tile's pixels that lie in the picture. */
        private fun inside(span: Span, length: Int, scale: Int): IntArray {
            val count = maxOf(0, minOf(span.end, length) - span.begin)
            return IntArray(scale * count) { scale * (span.begin - span.start) + it }
        }

        private fun inputsOf(file: FileFact, tile: Tile) = file.inputs.associate { fact ->
            fact.name to when (fact.kind) {
                TensorKind.IMAGE -> pictureWindow(tile)
                TensorKind.MAP -> mapWindow(fact.name, tile)
                TensorKind.STATISTIC -> requireNotNull(statistics[fact.name]) {
                    "no pass before ${file.path} gives ${fact.name}"
                }
                TensorKind.REGION -> Tensor(
                    listOf(tile.region.size), tile.region.map(Int::toFloat).toFloatArray(),
                )
                else -> requireNotNull(inputs[fact.name]) { "the input ${fact.name} is missing" }
            }
        }

        private fun pictureWindow(tile: Tile): Tensor {
            val (height, width) = tiling.window
            return picture.window(
                Mirror.indices(picture.size.height, tile.rows.start, height),
                Mirror.indices(picture.size.width, tile.columns.start, width),
            )
        }

        private fun mapWindow(name: String, tile: Tile): Tensor {
            val map = maps.getValue(name)
            val inner = grid.inner(tile, map.mapShape)
            return store[name].window(
                inner.rows.start, inner.columns.start, map.height, map.width,
            )
        }

        /** Remove maps that no later pass reads, but those of features to be kept. */
        private fun dropUnread(number: Int) {
            val later = passes.drop(number + 1).flatMap { file -> file.inputs.map { it.name } }
            val kept = if (features.isKept && number >= shared) features.names else emptySet()
            (store.names - later.toSet() - kept).forEach(store::remove)
        }
    }
}
