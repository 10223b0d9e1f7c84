package org.styleexport.contract.artifact

import java.io.ByteArrayOutputStream
import java.io.Closeable
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.util.zip.ZipFile
import org.styleexport.contract.facts.MANIFEST_NAME
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.StylePackFact
import org.styleexport.contract.facts.suffix
import org.styleexport.contract.json.ContractError
import org.styleexport.contract.measure.ErrorText

/**
 * Artifacts installed in the app, one folder each.
 *
 * @property folder parent of the artifacts' folders.
 * @property suffixes extensions of the files that this device runs; others are not copied.
 */
public class ArtifactStore(private val folder: File, private val suffixes: Collection<String>) {
    /** Return the valid artifacts, sorted by folder name. */
    public fun artifacts(): List<Artifact> = folder.listFiles().orEmpty()
        .filter { it.isDirectory && !it.name.startsWith(PART_PREFIX) }
        .sortedBy { it.name }
        .mapNotNull { runCatching { Artifact.open(it) }.getOrNull() }

    /**
     * Copy an artifact from a source, completely or not at all, and return it.
     *
     * Each file's size and sha256 are compared with the manifest.
     *
     * @param progress called with the path of each file before it is copied.
     * @throws BadArtifact the source is not an artifact, a file is missing or altered, or there is
     *   not enough free space.
     */
    public fun add(source: ArtifactSource, progress: (String) -> Unit = {}): Artifact {
        val bytes = manifestOf(source)
        val manifest = readable(bytes)
        val required = requiredFiles(manifest)
        if (required.none { it.isModel }) {
            throw BadArtifact("it has no ${suffixes.joinToString(" or ")} file for this app")
        }
        val name = nameOf(manifest, bytes)
        val part = File(folder, PART_PREFIX + name)
        try {
            checkFreeSpace(required)
            required.forEach { file ->
                progress(file.path)
                copy(source, file, File(part, file.path))
            }
            File(part, MANIFEST_NAME).writeBytes(bytes)
            return Artifact.open(moved(part, File(folder, name)))
        } catch (error: IOException) {
            throw BadArtifact("cannot be copied: ${ErrorText.reason(error)}", error)
        } finally {
            part.deleteRecursively()
        }
    }

    /** File to copy; a model has exactly `maxBytes`. */
    private class RequiredFile(
        val path: String, val sha256: String, val maxBytes: Long, val isModel: Boolean,
    )

    /** Return the files that the app uses: models, probes, style packs and thumbnails. */
    private fun requiredFiles(manifest: Manifest): List<RequiredFile> =
        manifest.files.filter { it.suffix in suffixes }
            .map { RequiredFile(it.path, it.sha256, it.sizeBytes, true) } +
            manifest.probes.map { RequiredFile(it.path, it.sha256, MAX_TENSORS_BYTES, false) } +
            manifest.styles.map { RequiredFile(it.path, it.sha256, MAX_TENSORS_BYTES, false) } +
            manifest.styles.flatMap(StylePackFact::thumbnails)
                .map { RequiredFile(it.path, it.sha256, MAX_THUMBNAIL_BYTES, false) }

    private fun manifestOf(source: ArtifactSource): ByteArray = try {
        val stream = source.open(MANIFEST_NAME)
            ?: throw BadArtifact("there is no ${MANIFEST_NAME} in it: choose an artifact")
        val bytes = ByteArrayOutputStream()
        if (stream.use { copy(it, bytes, MAX_MANIFEST_BYTES) } > MAX_MANIFEST_BYTES) {
            throw BadArtifact("its ${MANIFEST_NAME} has more than $MAX_MANIFEST_BYTES bytes")
        }
        bytes.toByteArray()
    } catch (error: IOException) {
        throw BadArtifact("cannot be read: ${ErrorText.reason(error)}", error)
    }

    private fun readable(bytes: ByteArray): Manifest = try {
        Manifest.read(bytes)
    } catch (error: ContractError) {
        throw BadArtifact("its manifest is bad: ${error.message}", error)
    }

    private fun checkFreeSpace(required: List<RequiredFile>) {
        folder.mkdirs()
        val needed = required.filter { it.isModel }.sumOf { it.maxBytes }
        if (folder.usableSpace in 0 until needed) {
            throw BadArtifact("it needs $needed bytes, ${folder.usableSpace} are free")
        }
    }

    private fun copy(source: ArtifactSource, file: RequiredFile, into: File) {
        into.parentFile?.mkdirs()
        val stream = source.open(file.path) ?: throw BadArtifact("${file.path} is missing")
        val copied = stream.use { from ->
            into.outputStream().use { copy(from, it, file.maxBytes) }
        }
        if (copied > file.maxBytes || (file.isModel && copied != file.maxBytes)) {
            throw BadArtifact("${file.path} does not have the size that the manifest states")
        }
        if (Digest.of(into) != file.sha256) {
            throw BadArtifact("${file.path} was altered: its sha256 is not the manifest's")
        }
    }

    /** Copy until more than `max` bytes are copied; return how many were. */
    private fun copy(from: InputStream, into: OutputStream, max: Long): Long {
        val buffer = ByteArray(BUFFER_BYTES)
        var copied = 0L
        while (copied <= max) {
            val count = from.read(buffer)
            if (count < 0) break
            into.write(buffer, 0, count)
            copied += count
        }
        return copied
    }

    private fun moved(part: File, target: File): File {
        target.deleteRecursively()
        if (!part.renameTo(target)) throw BadArtifact("${target.name} cannot be renamed")
        return target
    }

    private fun nameOf(manifest: Manifest, bytes: ByteArray): String {
        val network = manifest.network.name.replace(UNSAFE, "_").take(MAX_NAME)
        return "$network-${Digest.of(bytes.inputStream()).take(HASH_DIGITS)}"
    }

    private companion object {
        const val PART_PREFIX = ".part-"
        const val MAX_MANIFEST_BYTES = 64L shl 20
        const val MAX_TENSORS_BYTES = 512L shl 20
        const val MAX_THUMBNAIL_BYTES = 1L shl 20
        const val BUFFER_BYTES = 1 shl 16
        const val MAX_NAME = 60
        const val HASH_DIGITS = 8
        val UNSAFE = Regex("[^A-Za-z0-9_-]")
    }
}

/** Archive or folder that an artifact can be copied from. */
public interface ArtifactSource {
    /**
     * Open a file; null where it does not exist.
     *
     * @param path path below the artifact's folder, with forward slashes.
     */
    @Throws(IOException::class)
    public fun open(path: String): InputStream?
}

/**
 * Artifact in a zip archive, at its root or in a folder.
 *
 * Entries are only looked up by paths of the manifest, so none can escape the target folder.
 */
public class ZipSource(file: File) : ArtifactSource, Closeable {
    private val zip = try {
        ZipFile(file)
    } catch (error: IOException) {
        throw BadArtifact("not a zip archive: ${error.message}", error)
    }
    private val prefix = zip.entries().asSequence().map { it.name }
        .filter { it == MANIFEST_NAME || it.endsWith("/${MANIFEST_NAME}") }
        .minByOrNull(String::length)
        ?.removeSuffix(MANIFEST_NAME)
        .orEmpty()

    override fun open(path: String): InputStream? =
        zip.getEntry(prefix + path)?.let(zip::getInputStream)

    override fun close(): Unit = zip.close()
}
