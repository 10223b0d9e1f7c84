package org.styleexport.harness.work

import android.graphics.Bitmap

/**
 * A painting.
 *
 * @property bitmap of it.
 * @property told what ran, as the runtime itself says, and how near it came to the network.
 * @property milliseconds that the file took.
 */
class Painted(val bitmap: Bitmap, val told: String, val milliseconds: Double)
