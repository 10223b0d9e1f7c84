package org.styleexport.contract.measure

/** A file cannot run here with the settings asked for, which is no fault of the file. */
public class EngineUnavailable(message: String, cause: Throwable? = null) :
    Exception(message, cause)
