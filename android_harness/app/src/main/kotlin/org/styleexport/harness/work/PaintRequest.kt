package org.styleexport.harness.work

import android.graphics.Bitmap
import org.styleexport.contract.facts.FileFact
import org.styleexport.harness.engine.Delegates
import org.styleexport.harness.picture.Source

/**
 * What is to be painted.
 *
 * @property file that paints.
 * @property delegate that it is to run on.
 * @property source the photograph, or a frame of the camera.
 * @property painting whose style is to be taken; null takes packed styles.
 * @property first name of a packed style.
 * @property second of another.
 * @property blend 0 is the first alone, 1 the second.
 * @property strength 0 keeps the photograph, 1 is the full style.
 * @property isTiled whether a photograph larger than the file's size is painted in tiles.
 */
data class PaintRequest(
    val file: FileFact,
    val delegate: Delegates,
    val source: Source,
    val painting: Bitmap?,
    val first: String?,
    val second: String?,
    val blend: Float,
    val strength: Float,
    val isTiled: Boolean,
)
