package org.styleexport.contract.artifact

import java.io.Closeable
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.util.zip.ZipFile
import org.styleexport.contract.facts.Manifest

/**
 * An artifact in a zip archive, at its top or in a folder of it.
 *
 * Entries are looked up by the manifest's paths alone, so that none can name a place outside.
 */
public class ZipSource(file: File) : ArtifactSource, Closeable {
    private val zip = try {
        ZipFile(file)
    } catch (error: IOException) {
        throw BadArtifact("not a zip archive: ${error.message}", error)
    }
    private val top = zip.entries().asSequence().map { it.name }
        .filter { it == Manifest.FILE_NAME || it.endsWith("/${Manifest.FILE_NAME}") }
        .minByOrNull(String::length)
        ?.removeSuffix(Manifest.FILE_NAME)
        .orEmpty()

    override fun open(path: String): InputStream? =
        zip.getEntry(top + path)?.let(zip::getInputStream)

    override fun close(): Unit = zip.close()
}
