package org.styleexport.contract

import java.io.File
import java.io.InputStream
import java.nio.file.Files
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import kotlin.test.AfterTest
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.artifact.ArtifactSource
import org.styleexport.contract.artifact.ArtifactStore
import org.styleexport.contract.artifact.BadArtifact
import org.styleexport.contract.artifact.ZipSource
import org.styleexport.contract.facts.thumbnails

class ArtifactTest {
    private val root = Files.createTempDirectory("artifact").toFile()
    private val shelf = ArtifactStore(File(root, "shelf"), listOf(".onnx", ".tflite"))

    @AfterTest
    fun clean() {
        root.deleteRecursively()
    }

    /** The fixtures' artifact, with some files changed; null takes a file away. */
    private class PictureSource(private val changed: Map<String, ByteArray?> = emptyMap()) :
        ArtifactSource {
        override fun open(path: String): InputStream? = when {
            path in changed -> changed[path]?.inputStream()
            else -> File(Fixtures.artifact, path).takeIf(File::isFile)?.inputStream()
        }
    }

    private fun refused(words: String, action: () -> Unit) {
        val error = assertFailsWith<BadArtifact>(words) { action() }
        assertTrue(words in error.message!!, error.message)
    }

    private val onnx = "colour-transfer_encode_8x12_fp32.onnx"
    private val probe = "probes/colour-transfer_encode_8x12.safetensors"

    @Test
    fun anArtifactIsCopiedWithWhatAnAppNeeds() {
        val said = ArrayList<String>()
        val added = shelf.add(PictureSource(), said::add)
        assertEquals(4, added.files(listOf(".onnx", ".tflite")).size)
        assertEquals(setOf("dusk", "sea"), added.styleCodes().keys)
        val thumbnails = added.manifest.thumbnails.values
        assertEquals(2, thumbnails.count { added.file(it).isFile })
        added.check(thumbnails)
        assertTrue(added.folder.walk().none { it.name.endsWith(".mlmodel") })
        assertEquals(listOf(added.folder), shelf.artifacts().map { it.folder })
        assertTrue(onnx in said)
        added.check(added.manifest.files.map { it.path }.filter { it.endsWith(".onnx") })
        // Once more is the same artifact, not a second.
        shelf.add(PictureSource())
        assertEquals(1, shelf.artifacts().size)
    }

    @Test
    fun whatIsNotWholeIsNotKept() {
        val long = File(Fixtures.artifact, onnx).readBytes() + 0
        val altered = File(Fixtures.artifact, probe).readBytes().also { it[it.size - 1] = 77 }
        val thumbnail = Artifact.open(Fixtures.artifact).manifest.thumbnails.getValue("sea")
        val cases = mapOf(
            mapOf("manifest.json" to null) to "no manifest.json",
            mapOf("manifest.json" to "{".toByteArray()) to "manifest is bad",
            mapOf(onnx to null) to "$onnx is missing",
            mapOf(onnx to long) to "does not have the size",
            mapOf(onnx to long.copyOf(10)) to "does not have the size",
            mapOf(probe to altered) to "$probe was altered",
            mapOf(thumbnail to ByteArray(9)) to "$thumbnail was altered",
            mapOf(thumbnail to ByteArray(2 shl 20)) to "does not have the size",
        )
        for ((changed, words) in cases) {
            val error = assertFailsWith<BadArtifact>(words) { shelf.add(PictureSource(changed)) }
            assertTrue(words in error.message!!, error.message)
            assertTrue(shelf.artifacts().isEmpty())
            assertEquals(emptyList(), File(root, "shelf").list().orEmpty().toList())
        }
    }

    @Test
    fun anAppThatRunsNoneOfTheFilesSaysSo() {
        val other = ArtifactStore(File(root, "other"), listOf(".pte"))
        val error = assertFailsWith<BadArtifact> { other.add(PictureSource()) }
        assertTrue(".pte" in error.message!!, error.message)
    }

    @Test
    fun anArchiveMayHoldTheArtifactInAFolder() {
        for (top in listOf("", "my artifact/")) {
            val zip = File(root, "a.zip")
            ZipOutputStream(zip.outputStream()).use { out ->
                Fixtures.artifact.walk().filter(File::isFile).forEach {
                    out.putNextEntry(ZipEntry(top + it.relativeTo(Fixtures.artifact).path))
                    out.write(it.readBytes())
                }
            }
            ZipSource(zip).use { assertEquals(6, shelf.add(it).manifest.files.size) }
        }
        File(root, "b.zip").writeText("no archive")
        val error = assertFailsWith<BadArtifact> { ZipSource(File(root, "b.zip")) }
        assertTrue("not a zip archive" in error.message!!, error.message)
    }

    @Test
    fun filesThatChangedAreSeen() {
        val added = shelf.add(PictureSource())
        added.check(listOf(onnx, probe))
        added.file(onnx).appendText("x")
        refused("altered") { added.check(listOf(onnx)) }
        added.file(onnx).delete()
        refused("missing") { added.check(listOf(onnx)) }
        refused("does not list") { added.check(listOf("manifest.json")) }
        added.file(probe).writeText("x")
        refused("damaged") { added.tensors(probe) }
    }

    @Test
    fun aPackOfAnotherNetworkIsRefused() {
        val added = shelf.add(PictureSource())
        val pack = added.file(added.manifest.styles.single().path)
        val header = """{"sea":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"""
        val length = byteArrayOf(header.length.toByte()) + ByteArray(7)
        pack.writeBytes(length + header.toByteArray() + ByteArray(8))
        refused("a code of another network: colour-transfer takes [1, 6]") { added.styleCodes() }
    }

    @Test
    fun aFolderWithoutAManifestIsNone() {
        assertFailsWith<BadArtifact> { Artifact.open(root) }
        File(root, "manifest.json").writeText("[]")
        refused("expected an object") { Artifact.open(root) }
        assertFalse(shelf.artifacts().isNotEmpty())
    }
}
