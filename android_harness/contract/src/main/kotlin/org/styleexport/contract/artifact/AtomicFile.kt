package org.styleexport.contract.artifact

import java.io.File
import java.io.FileOutputStream
import java.io.IOException

/** Atomic file writes: a reader sees the complete file or none. */
public object AtomicFile {
    private const val PART = ".tmp"

    /**
     * Write a temporary file beside the target, sync it to disk, and rename it.
     *
     * @throws IOException the disk is full, or the folder is not writable.
     */
    @Throws(IOException::class)
    public fun write(file: File, bytes: ByteArray) {
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
