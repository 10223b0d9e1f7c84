package org.styleexport.contract.measure

import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone
import org.styleexport.contract.facts.CellFact
import org.styleexport.contract.facts.HarnessFact
import org.styleexport.contract.facts.JobFact
import org.styleexport.contract.facts.LatencyReport
import org.styleexport.contract.facts.MachineFact
import org.styleexport.contract.facts.ProtocolFact
import org.styleexport.contract.facts.StateFact

/**
 * Measures a job and makes its report.
 *
 * @property harness what measures.
 * @property clockName of the bench's clock, for the report.
 * @property machine that it runs on.
 * @property state of the machine now.
 */
public class Reports(
    private val harness: HarnessFact,
    private val clockName: String,
    private val machine: () -> MachineFact,
    private val state: () -> StateFact,
) {
    /**
     * Return the report of a job.
     *
     * @throws Cancelled the bench says so.
     */
    public fun of(job: JobFact, bench: Bench): LatencyReport {
        val created = utc(Date())
        val before = state()
        val cells = Protocol(job.plan, bench, harness.name).measure(job.cells)
        return LatencyReport(
            harness = harness,
            created = created,
            nonce = job.nonce,
            command = job.command,
            machine = machine(),
            before = before,
            after = state(),
            protocol = protocol(job, bench.clock),
            cells = cells,
        )
    }

    private fun protocol(job: JobFact, clock: Clock) = ProtocolFact(
        rounds = job.plan.rounds,
        seconds = job.plan.seconds,
        minSamples = job.plan.minSamples,
        warmUp = WarmUp.inWords(job.plan),
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
