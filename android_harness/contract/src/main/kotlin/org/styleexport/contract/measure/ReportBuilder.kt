package org.styleexport.contract.measure

import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone
import org.styleexport.contract.facts.HarnessFact
import org.styleexport.contract.facts.JobFact
import org.styleexport.contract.facts.LatencyReport
import org.styleexport.contract.facts.MachineFact
import org.styleexport.contract.facts.ProtocolFact
import org.styleexport.contract.facts.StateFact

/**
 * Runs a job and builds its report.
 *
 * @property harness name and version of the harness.
 * @property clockName name of the device's clock.
 * @property machine returns the description of the device.
 * @property state returns the current state of the device.
 */
public class ReportBuilder(
    private val harness: HarnessFact,
    private val clockName: String,
    private val machine: () -> MachineFact,
    private val state: () -> StateFact,
) {
    /**
     * Measure a job and return its report.
     *
     * @throws Cancelled the device was cancelled.
     */
    public fun measure(job: JobFact, device: BenchDevice): LatencyReport {
        val created = utc(Date())
        val before = state()
        val cells = Protocol(job.plan, device, harness.name.serialName).measure(job.cells)
        return LatencyReport(
            harness = harness,
            created = created,
            nonce = job.nonce,
            command = job.command,
            machine = machine(),
            before = before,
            after = state(),
            protocol = protocol(job, device.clock),
            cells = cells,
        )
    }

    private fun protocol(job: JobFact, clock: Clock) = ProtocolFact(
        rounds = job.plan.rounds,
        seconds = job.plan.seconds,
        minSamples = job.plan.minSamples,
        warmUp = WarmUp.description(job.plan),
        interleaved = true,
        ownProcess = false,
        clock = clockName,
        clockResolutionNs = Clock.resolutionNs(clock),
    )

    private fun utc(moment: Date): String {
        val format = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'Z'", Locale.ROOT)
        format.timeZone = TimeZone.getTimeZone("UTC")
        return format.format(moment)
    }
}

/** One-line texts for the report. */
public object ErrorText {
    private const val MAX_LENGTH = 300
    private val SPACES = Regex("\\s+")
    private val OUT_OF_MEMORY = Regex(
        "out of memory|bad_alloc|allocation fail|cannot allocate|failed to allocate",
        RegexOption.IGNORE_CASE,
    )

    /** Return a text on one line, truncated to what a report accepts. */
    public fun line(text: String): String = text.replace(SPACES, " ").trim().take(MAX_LENGTH)

    /** Return the first line of an error's message, or its class name. */
    public fun reason(error: Throwable): String =
        line(error.message?.lineSequence()?.firstOrNull { it.isNotBlank() } ?: error.javaClass.name)

    /** Whether a runtime's message reports a failed allocation. */
    public fun isOutOfMemory(message: String): Boolean = OUT_OF_MEMORY.containsMatchIn(message)
}
