package org.styleexport.harness

import android.app.Application
import java.io.File
import org.styleexport.contract.artifact.ArtifactStore
import org.styleexport.harness.engine.Engines
import org.styleexport.harness.work.ArtifactLibraryModel
import org.styleexport.harness.work.BenchmarkModel
import org.styleexport.harness.work.StylizeModel
import org.styleexport.harness.work.Worker

/** Application: state that outlives a screen. */
class HarnessApp : Application() {
    /** Background thread of all slow work, in order. */
    val worker: Worker by lazy { Worker("engine") }

    /** Artifacts on this phone. */
    val library: ArtifactLibraryModel by lazy {
        val store = ArtifactStore(File(filesDir, "artifacts"), Engines.SUFFIXES)
        ArtifactLibraryModel(this, store, worker)
    }

    /** Stylization of a photo or the camera. */
    val stylize: StylizeModel by lazy { StylizeModel(this, worker) }

    /** Benchmark started in the app. */
    val benchmark: BenchmarkModel by lazy { BenchmarkModel(this, worker) }
}
