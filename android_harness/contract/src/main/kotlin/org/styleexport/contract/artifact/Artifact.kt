package org.styleexport.contract.artifact

import java.io.File
import java.io.IOException
import org.styleexport.contract.arithmetic.SafeTensors
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.json.ContractError

/**
 * A folder of exported files with the manifest that describes them.
 *
 * @property folder where it lies.
 * @property manifest all facts of it.
 */
public class Artifact private constructor(
    public val folder: File, public val manifest: Manifest,
) {
    /** Return where a file of the manifest lies. */
    public fun file(path: String): File = File(folder, path)

    /** Return the files of some formats that lie here, in the manifest's order. */
    public fun files(suffixes: Collection<String>): List<FileFact> =
        manifest.files.filter { it.suffix in suffixes && file(it.path).exists() }

    /**
     * Return the tensors of a probe or a pack of styles.
     *
     * @throws BadArtifact it is missing or damaged.
     */
    public fun tensors(path: String): Map<String, Tensor> = try {
        SafeTensors.read(file(path).readBytes())
    } catch (error: ContractError) {
        throw BadArtifact("$path is damaged: ${error.message}; export the network again", error)
    } catch (error: IOException) {
        throw BadArtifact("$path cannot be read: ${error.message}", error)
    }

    /**
     * Return name → style code of every pack.
     *
     * @throws BadArtifact a pack is missing or damaged.
     */
    public fun styleCodes(): Map<String, Tensor> =
        manifest.styles.fold(emptyMap()) { codes, pack -> codes + tensors(pack.path) }

    /**
     * Refuse files that are not what the manifest describes.
     *
     * @param paths of the files that are about to be used.
     * @throws BadArtifact one is not listed, missing, or altered.
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
         * Return the artifact of a folder; its files are not looked at.
         *
         * @throws BadArtifact it holds no manifest that can be read.
         */
        public fun open(folder: File): Artifact {
            val path = File(folder, Manifest.FILE_NAME)
            if (!path.isFile) {
                throw BadArtifact("${folder.name} is not an artifact: no ${Manifest.FILE_NAME}")
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
