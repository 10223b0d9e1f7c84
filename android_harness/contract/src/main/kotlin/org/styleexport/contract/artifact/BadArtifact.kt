package org.styleexport.contract.artifact

/** A folder, archive or job that cannot be used, and why, in one line. */
public class BadArtifact(message: String, cause: Throwable? = null) : Exception(message, cause)
