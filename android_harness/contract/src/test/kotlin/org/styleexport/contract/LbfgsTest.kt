package org.styleexport.contract

import com.google.gson.JsonElement
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotEquals
import kotlin.test.assertTrue
import org.styleexport.contract.arithmetic.Lbfgs
import org.styleexport.contract.arithmetic.Lbfgs.Outcome
import org.styleexport.contract.facts.OptimizationFact

/** Iterates of `optimization.json`, which torch computed. */
class LbfgsTest {
    private val rules = OptimizationFact(
        history = 10, learningRate = 1.0, firstChange = 1.0, iterations = 20, divergence = 100.0,
        patience = 2,
    )

    private class Problem(json: JsonElement) {
        val name = json["name"].text()
        val start = json["start"].floats()
        val losses = doubles(json["losses"])
        val iterates = json["iterates"].list().map(::doubles)
        val tolerance = json["tolerance"].double()
        val best = json["best"].int()
        val diverges = json["diverges"].boolean()
        val rules = OptimizationFact(
            history = json["history"].int(),
            learningRate = json["learning_rate"].double(),
            firstChange = 1.0,
            iterations = losses.size,
            divergence = json["divergence"].double(),
            patience = json["patience"].int(),
        )
        private val curvature = doubles(json["curvature"])
        private val centre = doubles(json["centre"])
        private val quartic = doubles(json["quartic"])
        private val root = doubles(json["root"])
        private val coupling = json["coupling"].double()
        private val offset = json["offset"].double()

        /** Return the loss and its gradient. */
        fun evaluate(x: FloatArray): Pair<Double, FloatArray> {
            var loss = offset
            val gradient = DoubleArray(x.size)
            for (index in x.indices) {
                val u = x[index] - centre[index]
                val length = Math.sqrt(1 + u * u)
                loss += curvature[index] / 2 * u * u + quartic[index] / 4 * u * u * u * u
                loss += root[index] * length
                gradient[index] += curvature[index] * u + quartic[index] * u * u * u
                gradient[index] += root[index] * u / length
            }
            for (index in 1 until x.size) {
                val step = x[index].toDouble() - x[index - 1]
                loss += coupling / 2 * step * step
                gradient[index] += coupling * step
                gradient[index - 1] -= coupling * step
            }
            return Pair(loss, FloatArray(x.size) { gradient[it].toFloat() })
        }

        private fun doubles(json: JsonElement) = json.list().map { it.double() }
    }

    @Test
    fun theIteratesAreThoseOfTorch() {
        val problems = Fixtures.json("optimization.json").list().map(::Problem)
        assertEquals(listOf(false, false, false, false, true), problems.map { it.diverges })
        for (problem in problems) {
            val lbfgs = Lbfgs(problem.start, problem.rules)
            var outcome = Outcome.MOVED
            for ((number, expected) in problem.iterates.withIndex()) {
                assertNotEquals(Outcome.DIVERGED, outcome, problem.name)
                val name = "${problem.name} $number"
                assertNear(lbfgs.iterate.map { it.toDouble() }, expected, problem.tolerance, name)
                val (loss, gradient) = problem.evaluate(lbfgs.iterate)
                assertNear(listOf(loss), listOf(problem.losses[number]), problem.tolerance, name)
                outcome = lbfgs.advance(loss, gradient)
            }
            assertEquals(problem.diverges, outcome == Outcome.DIVERGED, problem.name)
            val best = listOf(problem.losses[problem.best])
            assertNear(listOf(lbfgs.bestLoss), best, problem.tolerance, problem.name)
            assertEquals(lbfgs.bestLoss, problem.evaluate(lbfgs.best).first)
        }
    }

    @Test
    fun whatIsNotFiniteEndsItWithTheBestKept() {
        val (nan, infinite) = listOf(Float.NaN, Float.POSITIVE_INFINITY)
        for ((loss, slope) in listOf(nan to 1f, infinite to 1f, 0.5f to nan, 0.5f to infinite)) {
            val lbfgs = Lbfgs(floatArrayOf(3f, 4f), rules)
            assertEquals(Outcome.MOVED, lbfgs.advance(2.0, floatArrayOf(1f, 1f)))
            assertEquals(Outcome.DIVERGED, lbfgs.advance(loss.toDouble(), floatArrayOf(1f, slope)))
            assertContentEquals(floatArrayOf(3f, 4f), lbfgs.best)
            assertEquals(2.0, lbfgs.bestLoss)
        }
    }

    @Test
    fun lossesFarAboveTheBestEndIt() {
        val lbfgs = Lbfgs(floatArrayOf(3f, 4f), rules)
        for ((index, loss) in listOf(2.0, 201.0, 200.0, 1e9).withIndex()) {
            assertEquals(Outcome.MOVED, lbfgs.advance(loss, floatArrayOf(1f, 1f + index)))
        }
        assertEquals(Outcome.DIVERGED, lbfgs.advance(200.1, floatArrayOf(1f, 5f)))
        assertEquals(2.0, lbfgs.bestLoss)
    }

    @Test
    fun aGradientOfZeroIsAnEnd() {
        val lbfgs = Lbfgs(floatArrayOf(3f, 4f), rules)
        assertEquals(Outcome.CONVERGED, lbfgs.advance(2.0, floatArrayOf(0f, 1e-8f)))
        assertContentEquals(floatArrayOf(3f, 4f), lbfgs.iterate)
        assertFailsWith<IllegalArgumentException> { lbfgs.advance(2.0, floatArrayOf(1f)) }
    }

    private fun assertNear(
        actual: List<Double>, expected: List<Double>, tolerance: Double, name: String,
    ) {
        assertEquals(expected.size, actual.size, name)
        expected.zip(actual).forEachIndexed { index, (one, other) ->
            val allowed = tolerance * maxOf(1.0, Math.abs(one))
            assertTrue(Math.abs(one - other) <= allowed, "$name[$index]: $other, expected $one")
        }
    }
}
