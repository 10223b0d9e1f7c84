package org.styleexport.harness.work

import android.content.res.AssetManager
import java.io.FileNotFoundException
import java.io.InputStream
import org.styleexport.contract.artifact.ArtifactSource

/** An artifact that is bundled with the app. */
class AssetSource(private val assets: AssetManager, private val folder: String) : ArtifactSource {
    override fun open(path: String): InputStream? = try {
        assets.open("$folder/$path")
    } catch (_: FileNotFoundException) {
        null
    }
}
