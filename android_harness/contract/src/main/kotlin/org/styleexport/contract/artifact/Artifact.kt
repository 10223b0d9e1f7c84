package org.styleexport.contract.artifact

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.security.DigestInputStream
import java.security.MessageDigest
import org.styleexport.contract.arithmetic.SafeTensors
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.MANIFEST_NAME
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.codeLength
import org.styleexport.contract.facts.isPass
import org.styleexport.contract.facts.knownPaths
import org.styleexport.contract.facts.suffix
import org.styleexport.contract.json.ContractError

/**
 * Folder of exported files and the manifest that describes them.
 *
 * @property folder location on this device.
 * @property manifest contents of manifest.json.
 */
public class Artifact private constructor(
    public val folder: File, public val manifest: Manifest,
) {
    /** Return the location of a path of the manifest. */
    public fun file(path: String): File = File(folder, path)

    /**
     * Return the files of some formats that are present, in the order of the manifest.
     *
     * Passes over tiles are left out: one by itself is not painted with, nor measured.
     */
    public fun files(suffixes: Collection<String>): List<FileFact> =
        manifest.files.filter { it.suffix in suffixes && !it.isPass && file(it.path).exists() }

    /**
     * Return the tensors of a probe or a style pack by name.
     *
     * @throws BadArtifact the file is missing or damaged.
     */
    public fun tensors(path: String): Map<String, Tensor> = try {
        SafeTensors.read(file(path).readBytes())
    } catch (error: ContractError) {
        throw BadArtifact("$path is damaged: ${error.message}; export the network again", error)
    } catch (error: IOException) {
        throw BadArtifact("$path cannot be read: ${error.message}", error)
    }

    /**
     * Return the style codes, [1, K], of all packs by name.
     *
     * @throws BadArtifact a pack is missing, damaged, or of another network.
     */
    public fun styleCodes(): Map<String, Tensor> =
        manifest.styles.fold(emptyMap()) { codes, pack -> codes + packedCodes(pack.path) }

    private fun packedCodes(path: String): Map<String, Tensor> {
        val expected = listOf(1, manifest.files.firstNotNullOfOrNull { it.codeLength })
        return tensors(path).onEach { (name, code) ->
            if (code.shape != expected) {
                throw BadArtifact(
                    "$path holds $name of shape ${code.shape}, a code of another network: " +
                        "${manifest.network.name} takes $expected",
                )
            }
        }
    }

    /**
     * Compare the sha256 of files with the manifest.
     *
     * @param paths paths of the files that are about to be used.
     * @throws BadArtifact a file is not listed, missing, or altered.
     */
    public fun check(paths: Collection<String>) {
        val known = manifest.knownPaths
        for (path in paths.toSet()) {
            val expected = known[path] ?: throw BadArtifact("the manifest does not list $path")
            val file = file(path)
            if (!file.exists()) throw BadArtifact("$path is missing, the manifest lists it")
            if (Digest.of(file) != expected) {
                throw BadArtifact("$path was altered: its sha256 is not the manifest's")
            }
        }
    }

    public companion object {
        /**
         * Return the artifact in a folder; only its manifest is read.
         *
         * @throws BadArtifact the folder holds no valid manifest.
         */
        public fun open(folder: File): Artifact {
            val path = File(folder, MANIFEST_NAME)
            if (!path.isFile) {
                throw BadArtifact("${folder.name} is not an artifact: no ${MANIFEST_NAME}")
            }
            return try {
                Artifact(folder, Manifest.read(path.readBytes()))
            } catch (error: ContractError) {
                throw BadArtifact("${folder.name} is not an artifact: ${error.message}", error)
            } catch (error: IOException) {
                throw BadArtifact("${folder.name} cannot be read: ${error.message}", error)
            }
        }
    }
}

/** Folder, archive or job that cannot be used; the message is one line. */
public class BadArtifact(message: String, cause: Throwable? = null) : Exception(message, cause)

/** SHA-256 of files and packages. */
public object Digest {
    private const val ALGORITHM = "SHA-256"
    private const val BUFFER_BYTES = 1 shl 16

    /**
     * Return the sha256 of a file in hexadecimal.
     *
     * A package, which is a folder, is hashed over the lines `sha256  path` of its files, sorted
     * by path, each ending in a newline.
     */
    public fun of(file: File): String {
        if (!file.isDirectory) return file.inputStream().use(::of)
        val parts = file.walkTopDown().filter(File::isFile)
            .associateBy { it.relativeTo(file).invariantSeparatorsPath }
        val lines = parts.keys.sorted().joinToString("") { "${of(parts.getValue(it))}  $it\n" }
        return of(lines.toByteArray().inputStream())
    }

    /** Return the sha256 of the rest of a stream in hexadecimal. */
    public fun of(stream: InputStream): String {
        val digest = MessageDigest.getInstance(ALGORITHM)
        val digested = DigestInputStream(stream, digest)
        val buffer = ByteArray(BUFFER_BYTES)
        do {
            val count = digested.read(buffer)
        } while (count >= 0)
        return digest.digest().joinToString("") { "%02x".format(it) }
    }
}
