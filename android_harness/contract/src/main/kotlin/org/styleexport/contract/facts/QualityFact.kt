package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * What a file loses against the float network over the fixed quality probes.
 *
 * @property runner what ran the file.
 * @property lossNetwork in whose features style is measured.
 * @property pictures how many.
 * @property psnrDb pooled over the pictures on which the network is stable.
 * @property allPsnrDb pooled over all pictures.
 * @property worstPsnrDb of the picture that loses most.
 * @property ssim mean over the pictures; null for style codes, as all that follow.
 * @property styleChange relative change of the distance to the style.
 * @property gramChange the same in Gram matrices.
 * @property flickerChange relative change of what flickers in a slow pan.
 * @property budget what the file may lose.
 * @property failures limits of the budget that do not hold: the file is degraded.
 */
public data class QualityFact(
    public val runner: String,
    public val lossNetwork: String,
    public val pictures: Int,
    public val psnrDb: Double,
    public val allPsnrDb: Double,
    public val worstPsnrDb: Double,
    public val ssim: Double?,
    public val styleChange: Double?,
    public val gramChange: Double?,
    public val flickerChange: Double?,
    public val budget: String,
    public val failures: List<String>,
) {
    internal companion object {
        val read: Read<QualityFact> = Fields.strict {
            QualityFact(
                runner = it.required("runner", Readers.text),
                lossNetwork = it.required("loss_network", Readers.text),
                pictures = it.required("pictures", Readers.int(Int.MIN_VALUE)),
                psnrDb = it.required("psnr_db", Readers.number),
                allPsnrDb = it.required("all_psnr_db", Readers.number),
                worstPsnrDb = it.required("worst_psnr_db", Readers.number),
                ssim = it.nullable("ssim", Readers.number),
                styleChange = it.nullable("style_change", Readers.number),
                gramChange = it.nullable("gram_change", Readers.number),
                flickerChange = it.nullable("flicker_change", Readers.number),
                budget = it.required("budget", Readers.text),
                failures = it.required("failures", Readers.list(Readers.text)),
            )
        }
    }
}
