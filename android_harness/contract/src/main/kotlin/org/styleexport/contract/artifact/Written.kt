package org.styleexport.contract.artifact

import java.io.File
import java.io.FileOutputStream
import java.io.IOException

/** Files that whoever reads them finds whole or not at all. */
public object Written {
    private const val PART = ".tmp"

    /**
     * Write a file beside its place, bring it to the disk, then rename it.
     *
     * @throws IOException there is no room, or the folder cannot be written.
     */
    @Throws(IOException::class)
    public fun whole(file: File, bytes: ByteArray) {
        file.parentFile?.mkdirs()
        val part = File(file.path + PART)
        FileOutputStream(part).use {
            it.write(bytes)
            it.fd.sync()
        }
        if (!part.renameTo(file)) {
            part.delete()
            throw IOException("${part.name} cannot be renamed to ${file.name}")
        }
    }
}
