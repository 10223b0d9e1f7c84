package org.styleexport.contract.artifact

import java.io.File
import java.io.InputStream
import java.security.DigestInputStream
import java.security.MessageDigest

/** The sha256 of files and packages. */
public object Digest {
    private const val ALGORITHM = "SHA-256"
    private const val AT_ONCE = 1 shl 16

    /**
     * Return the sha256 of a file in hexadecimal.
     *
     * That of a package, a folder, is taken over the lines `sha256  path` of its files, sorted by
     * path, each ending in a newline.
     */
    public fun of(file: File): String {
        if (!file.isDirectory) return file.inputStream().use(::of)
        val parts = file.walkTopDown().filter(File::isFile)
            .associateBy { it.relativeTo(file).invariantSeparatorsPath }
        val lines = parts.keys.sorted().joinToString("") { "${of(parts.getValue(it))}  $it\n" }
        return of(lines.toByteArray().inputStream())
    }

    /** Return the sha256 of all that a stream still holds. */
    public fun of(stream: InputStream): String {
        val digest = MessageDigest.getInstance(ALGORITHM)
        val digested = DigestInputStream(stream, digest)
        val buffer = ByteArray(AT_ONCE)
        do {
            val count = digested.read(buffer)
        } while (count >= 0)
        return digest.digest().joinToString("") { "%02x".format(it) }
    }
}
