package org.styleexport.harness.screen

import android.R.layout
import android.app.Activity
import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.SeekBar
import android.widget.Spinner

/** What the screens have in common. */
internal object Screens {
    /** The extra that names an artifact's folder. */
    const val ARTIFACT = "artifact"

    /** Offer words in a spinner; what is chosen already stays. */
    fun offer(activity: Activity, spinner: Spinner, words: List<String>) {
        val held = spinner.adapter?.let { old -> List(old.count) { old.getItem(it) } }
        if (held == words) return
        val adapter = ArrayAdapter(activity, layout.simple_spinner_item, words)
        adapter.setDropDownViewResource(layout.simple_spinner_dropdown_item)
        spinner.adapter = adapter
    }

    /** Tell which of a spinner's words is chosen. */
    fun onChoice(spinner: Spinner, take: (Int) -> Unit) {
        spinner.onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
            override fun onItemSelected(
                parent: AdapterView<*>?, view: View?, position: Int, id: Long,
            ) = take(position)

            override fun onNothingSelected(parent: AdapterView<*>?) = Unit
        }
    }

    /** Tell where a slider stands, 0..1, when the user moves it. */
    fun onSlide(bar: SeekBar, take: (Float) -> Unit) {
        bar.setOnSeekBarChangeListener(object : SeekBar.OnSeekBarChangeListener {
            override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) {
                if (fromUser) take(progress.toFloat() / bar.max)
            }

            override fun onStartTrackingTouch(bar: SeekBar) = Unit

            override fun onStopTrackingTouch(bar: SeekBar) = Unit
        })
    }
}
