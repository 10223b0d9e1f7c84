package org.styleexport.contract.facts

import org.styleexport.contract.json.Fields
import org.styleexport.contract.json.Read
import org.styleexport.contract.json.Readers

/**
 * How a device measures: by the rules of the desktop bench.
 *
 * @property rounds turns of every file.
 * @property seconds that a turn lasts at least.
 * @property minSamples that a turn takes at least.
 * @property settlingRuns at the start of a turn, not kept.
 * @property window inferences whose median must agree with that of as many before.
 * @property tolerance by which they may differ.
 * @property warmUpLeastSeconds that warming up takes at least.
 * @property warmUpSeconds after which it ends, stable or not.
 * @property seed of the order in each round.
 * @property threads of the runtime; null leaves it to the device.
 */
public data class PlanFact(
    public val rounds: Int = 7,
    public val seconds: Double = 0.5,
    public val minSamples: Int = 5,
    public val settlingRuns: Int = 2,
    public val window: Int = 5,
    public val tolerance: Double = 0.03,
    public val warmUpLeastSeconds: Double = 0.3,
    public val warmUpSeconds: Double = 10.0,
    public val seed: Long = 0,
    public val threads: Int? = null,
) {
    internal companion object {
        val read: Read<PlanFact> = Fields.open {
            val usual = PlanFact()
            PlanFact(
                rounds = it.optional("rounds", usual.rounds, Readers.int(1)),
                seconds = it.optional("seconds", usual.seconds, Readers.number(0.0)),
                minSamples = it.optional("min_samples", usual.minSamples, Readers.int(1)),
                settlingRuns = it.optional("settling_runs", usual.settlingRuns, Readers.int(0)),
                window = it.optional("window", usual.window, Readers.int(1)),
                tolerance = it.optional("tolerance", usual.tolerance, Readers.number(0.0)),
                warmUpLeastSeconds = it.optional(
                    "warm_up_least_seconds", usual.warmUpLeastSeconds, Readers.number(0.0),
                ),
                warmUpSeconds = it.optional(
                    "warm_up_seconds", usual.warmUpSeconds, Readers.number(0.0),
                ),
                seed = it.optional("seed", usual.seed, Readers.count),
                threads = it.optional("threads", Readers.int(1)),
            )
        }
    }
}
