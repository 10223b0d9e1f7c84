package org.styleexport.contract.measure

/** Whoever asked for a measurement wants it no more. */
public class Cancelled : Exception("cancelled")
