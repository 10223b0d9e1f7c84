package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * Where activation ranges came from.
 *
 * @property method how a range was taken from the activations seen.
 * @property images how many content images were run.
 * @property styles how many styles each was run with; 0 for a fixed-style network.
 * @property sha256 over the pixels of the images, in order.
 */
public data class CalibrationFact(
    public val method: String,
    public val images: Int,
    public val styles: Int,
    public val sha256: String,
) {
    internal companion object {
        val read: Read<CalibrationFact> = Fields.strict {
            CalibrationFact(
                method = it.required("method", Readers.text),
                images = it.required("images", Readers.int(Int.MIN_VALUE)),
                styles = it.required("styles", Readers.int(Int.MIN_VALUE)),
                sha256 = it.required("sha256", Readers.sha256),
            )
        }
    }
}
