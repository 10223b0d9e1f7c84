package org.styleexport.harness

import android.app.Application
import java.io.File
import org.styleexport.contract.artifact.ArtifactShelf
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.work.Library
import org.styleexport.harness.work.Measuring
import org.styleexport.harness.work.Painting
import org.styleexport.harness.work.Worker

/** What outlives a screen: the worker, the artifacts, and what is being painted and measured. */
class HarnessApp : Application() {
    /** Runs everything that takes time, in order, on a thread of its own. */
    val worker: Worker by lazy { Worker("engine") }

    /** The artifacts on this phone. */
    val library: Library by lazy {
        Library(this, ArtifactShelf(File(filesDir, "artifacts"), Engines.SUFFIXES), worker)
    }

    /** What is being painted. */
    val painting: Painting by lazy { Painting(this, worker) }

    /** What is being measured. */
    val measuring: Measuring by lazy { Measuring(this, worker) }
}
