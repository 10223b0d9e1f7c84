package org.styleexport.contract.artifact

import java.io.IOException
import java.io.InputStream

/** Something that an artifact can be copied out of: an archive, a folder of another app. */
public interface ArtifactSource {
    /**
     * Return the bytes of a file; null where there is none.
     *
     * @param path below the artifact, with forward slashes.
     */
    @Throws(IOException::class)
    public fun open(path: String): InputStream?
}
