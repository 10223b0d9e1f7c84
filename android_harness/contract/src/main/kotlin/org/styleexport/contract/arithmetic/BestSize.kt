package org.styleexport.contract.arithmetic

import org.styleexport.contract.facts.FileFact
import org.styleexport.contract.facts.SizeFact

/**
 * A file and one of its sizes.
 *
 * @property size null where the file takes any.
 */
public data class BestSize(public val file: FileFact, public val size: SizeFact?) {
    public companion object {
        /** Return the file and size that keep the most of a picture; of equals, the smaller. */
        public fun of(files: List<FileFact>, picture: SizeFact): BestSize {
            val options = files.flatMap { file ->
                file.fixedSizes.map { BestSize(file, it) }.ifEmpty { listOf(BestSize(file, null)) }
            }
            require(options.isNotEmpty()) { "no file to choose from" }
            // Of equals the first, as the desktop has it.
            return options.sortedWith(compareByDescending(kept(picture)).thenBy(::area)).first()
        }

        /** Return how many of a picture's pixels are left in a frame. */
        private fun kept(picture: SizeFact) = { option: BestSize ->
            val frame = option.size ?: picture
            val scale = minOf(
                1.0,
                frame.height.toDouble() / picture.height,
                frame.width.toDouble() / picture.width,
            )
            scale * scale * picture.height * picture.width
        }

        private fun area(option: BestSize) = option.size?.pixels ?: 0L
    }
}
