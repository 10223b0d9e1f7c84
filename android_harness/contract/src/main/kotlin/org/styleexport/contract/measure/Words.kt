package org.styleexport.contract.measure

/** Texts as the report takes them. */
public object Words {
    private const val LONGEST = 300
    private val SPACES = Regex("\\s+")
    private val OUT_OF_MEMORY = Regex(
        "out of memory|bad_alloc|allocation fail|cannot allocate|failed to allocate",
        RegexOption.IGNORE_CASE,
    )

    /** Return a text on one line, cut to what the report takes. */
    public fun line(text: String): String = text.replace(SPACES, " ").trim().take(LONGEST)

    /** Return what went wrong in one line: the message, or the name of what was thrown. */
    public fun reason(error: Throwable): String =
        line(error.message?.lineSequence()?.firstOrNull { it.isNotBlank() } ?: error.javaClass.name)

    /** Whether a runtime's message tells of too little memory. */
    public fun tellsOfMemory(message: String): Boolean = OUT_OF_MEMORY.containsMatchIn(message)
}
