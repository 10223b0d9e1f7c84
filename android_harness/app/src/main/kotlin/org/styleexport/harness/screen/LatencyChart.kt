package org.styleexport.harness.screen

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View
import org.styleexport.contract.facts.CellFact
import org.styleexport.harness.R

/** Strip plot of all latency samples: one row per measured cell, time from left to right. */
class LatencyChart(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val density = resources.displayMetrics.density
    private val text = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.chart_text)
        textSize = TEXT_SP * density * resources.configuration.fontScale
    }
    private val dot = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.chart_dot)
    }

    /** Cells to draw; those without samples are left out. */
    var cells: List<CellFact> = emptyList()
        set(new) {
            field = new.filter { it.roundsNs.isNotEmpty() }
            contentDescription = resources.getQuantityString(
                R.plurals.chart_description, field.size, field.size,
            )
            requestLayout()
            invalidate()
        }

    private val rowHeight get() = text.textSize * ROW_LINES

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val height = if (cells.isEmpty()) 0f else rowHeight * cells.size + text.textSize * 2
        setMeasuredDimension(MeasureSpec.getSize(widthMeasureSpec), height.toInt())
    }

    override fun onDraw(canvas: Canvas) {
        val longest = cells.maxOfOrNull { it.roundsNs.flatten().maxOrNull() ?: 0L } ?: return
        val radius = RADIUS_DP * density
        val scale = (width - 2 * radius) / maxOf(1L, longest)
        cells.forEachIndexed { index, cell ->
            val top = index * rowHeight
            canvas.drawText(label(cell), 0f, top + text.textSize, text)
            for (sample in cell.roundsNs.flatten()) {
                canvas.drawCircle(radius + sample * scale, top + text.textSize * 1.8f, radius, dot)
            }
        }
        val axis = resources.getString(R.string.chart_axis, longest / NANOSECONDS_PER_MS)
        canvas.drawText(axis, width - text.measureText(axis), height - text.textSize / 2, text)
    }

    private fun label(cell: CellFact): String {
        val subject = cell.subject
        val precision = subject.precision.serialName
        return "${subject.role.serialName} ${cell.size} $precision ${subject.target}"
    }

    private companion object {
        const val TEXT_SP = 12f
        const val RADIUS_DP = 3f
        const val ROW_LINES = 2.6f
        const val NANOSECONDS_PER_MS = 1e6
    }
}
