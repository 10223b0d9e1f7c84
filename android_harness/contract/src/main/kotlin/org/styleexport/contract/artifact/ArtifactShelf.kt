package org.styleexport.contract.artifact

import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.json.ContractError
import org.styleexport.contract.measure.Words

/**
 * Where an app keeps artifacts: one folder each.
 *
 * @property folder of all.
 * @property suffixes of the files that this device runs; others are not copied.
 */
public class ArtifactShelf(private val folder: File, private val suffixes: Collection<String>) {
    /** Return the artifacts that can be opened, by the name of their folder. */
    public fun artifacts(): List<Artifact> = folder.listFiles().orEmpty()
        .filter { it.isDirectory && !it.name.startsWith(UNFINISHED) }
        .sortedBy { it.name }
        .mapNotNull { runCatching { Artifact.open(it) }.getOrNull() }

    /**
     * Return the artifact that was copied out of a source, whole or not at all.
     *
     * Every file is held to the manifest's size and sha256 while it is copied.
     *
     * @param say is told the name of each file.
     * @throws BadArtifact it is none, a file of it is missing or altered, or there is no room.
     */
    public fun add(source: ArtifactSource, say: (String) -> Unit = {}): Artifact {
        val bytes = manifestOf(source)
        val manifest = readable(bytes)
        val wanted = wanted(manifest)
        if (wanted.none { it.isRun }) {
            throw BadArtifact("it holds no ${suffixes.joinToString(" or ")} file for this app")
        }
        val name = nameOf(manifest, bytes)
        val part = File(folder, UNFINISHED + name)
        try {
            checkRoom(wanted)
            wanted.forEach { file ->
                say(file.path)
                copy(source, file, File(part, file.path))
            }
            File(part, Manifest.FILE_NAME).writeBytes(bytes)
            return Artifact.open(settled(part, File(folder, name)))
        } catch (error: IOException) {
            throw BadArtifact("cannot be copied: ${Words.reason(error)}", error)
        } finally {
            part.deleteRecursively()
        }
    }

    private class Wanted(val path: String, val sha256: String, val most: Long, val isRun: Boolean)

    /** Return what an app needs of an artifact; the float programs are for desktops. */
    private fun wanted(manifest: Manifest): List<Wanted> =
        manifest.files.filter { it.suffix in suffixes }
            .map { Wanted(it.path, it.sha256, it.sizeBytes, true) } +
            manifest.probes.map { Wanted(it.path, it.sha256, LARGEST_TENSORS, false) } +
            manifest.styles.map { Wanted(it.path, it.sha256, LARGEST_TENSORS, false) }

    private fun manifestOf(source: ArtifactSource): ByteArray = try {
        val stream = source.open(Manifest.FILE_NAME)
            ?: throw BadArtifact("there is no ${Manifest.FILE_NAME} in it: choose an artifact")
        val bytes = ByteArrayOutputStream()
        if (stream.use { copy(it, bytes, LARGEST_MANIFEST) } > LARGEST_MANIFEST) {
            throw BadArtifact("its ${Manifest.FILE_NAME} has more than $LARGEST_MANIFEST bytes")
        }
        bytes.toByteArray()
    } catch (error: IOException) {
        throw BadArtifact("cannot be read: ${Words.reason(error)}", error)
    }

    private fun readable(bytes: ByteArray): Manifest = try {
        Manifest.read(bytes)
    } catch (error: ContractError) {
        throw BadArtifact("its manifest is bad: ${error.message}", error)
    }

    private fun checkRoom(wanted: List<Wanted>) {
        folder.mkdirs()
        val needed = wanted.filter { it.isRun }.sumOf { it.most }
        if (folder.usableSpace in 0 until needed) {
            throw BadArtifact("it needs $needed bytes, ${folder.usableSpace} are free")
        }
    }

    private fun copy(source: ArtifactSource, file: Wanted, into: File) {
        into.parentFile?.mkdirs()
        val stream = source.open(file.path) ?: throw BadArtifact("${file.path} is missing")
        val copied = stream.use { from -> into.outputStream().use { copy(from, it, file.most) } }
        if (copied > file.most || (file.isRun && copied != file.most)) {
            throw BadArtifact("${file.path} has not the size that the manifest states")
        }
        if (Digest.of(into) != file.sha256) {
            throw BadArtifact("${file.path} was altered: its sha256 is not the manifest's")
        }
    }

    /** Copy one byte more than may be there at most, so that too many are seen. */
    private fun copy(from: InputStream, into: OutputStream, most: Long): Long {
        val buffer = ByteArray(AT_ONCE)
        var copied = 0L
        while (copied <= most) {
            val count = from.read(buffer)
            if (count < 0) break
            into.write(buffer, 0, count)
            copied += count
        }
        return copied
    }

    private fun settled(part: File, place: File): File {
        place.deleteRecursively()
        if (!part.renameTo(place)) throw BadArtifact("${place.name} cannot be put in its place")
        return place
    }

    private fun nameOf(manifest: Manifest, bytes: ByteArray): String {
        val network = manifest.network.name.replace(UNFIT, "_").take(LONGEST_NAME)
        return "$network-${Digest.of(bytes.inputStream()).take(DIGITS)}"
    }

    private companion object {
        const val UNFINISHED = ".part-"
        const val LARGEST_MANIFEST = 64L shl 20
        const val LARGEST_TENSORS = 512L shl 20
        const val AT_ONCE = 1 shl 16
        const val LONGEST_NAME = 60
        const val DIGITS = 8
        val UNFIT = Regex("[^A-Za-z0-9_-]")
    }
}
