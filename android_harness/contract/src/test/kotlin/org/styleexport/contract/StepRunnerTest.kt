package org.styleexport.contract

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.styleexport.contract.arithmetic.FileTensor
import org.styleexport.contract.arithmetic.SafeTensors
import org.styleexport.contract.arithmetic.Tensor
import org.styleexport.contract.artifact.Artifact
import org.styleexport.contract.facts.CellStatus
import org.styleexport.contract.facts.Manifest
import org.styleexport.contract.facts.PlanFact
import org.styleexport.contract.facts.Role
import org.styleexport.contract.facts.SizeFact
import org.styleexport.contract.facts.TensorKind
import org.styleexport.contract.facts.probesOf
import org.styleexport.contract.measure.LocalJob
import org.styleexport.contract.measure.ProbeCheck
import org.styleexport.contract.measure.Protocol
import org.styleexport.contract.measure.Session
import org.styleexport.contract.stylize.ModelRunner
import org.styleexport.contract.stylize.OptimizationResult.Ending
import org.styleexport.contract.stylize.StepRunner

/** Painting by optimization with the files of `manifests/optimization.json`. */
class StepRunnerTest {
    private val manifest = Manifest.read(Fixtures.bytes("manifests/optimization.json"))
    private val rules = manifest.network.optimization!!
    private val step = manifest.files.first { it.role == Role.STEP }
    private val content = Tensor.image(8, 12).also { it.data.fill(0.5f) }
    private val targets = StepRunner.Targets(
        Tensor(listOf(1, content.data.size), content.data.copyOf()),
        Tensor(listOf(1, 6), floatArrayOf(0.25f, 0.5f, 0.75f, 0f, 0f, 0f)), 1f,
    )

    /** Distances of each pixel from the content, and from the colour of the style. */
    private fun distances(inputs: Map<String, Tensor>): Map<String, Tensor> {
        val image = inputs.getValue("image")
        val (target, code) = listOf("content_target", "style_code").map { inputs.getValue(it).data }
        val strength = inputs.getValue("strength").data.single()
        var loss = 0f
        val gradient = FloatArray(image.data.size) { index ->
            val own = image.data[index] - target[index]
            val style = image.data[index] - code[index * 3 / image.data.size]
            // Weights that differ, so that it takes more than one step.
            val weight = 1f + index % 7
            loss += weight * (own * own + strength * style * style)
            2 * weight * (own + strength * style)
        }
        return mapOf(
            "loss" to Tensor(listOf(1), floatArrayOf(loss)),
            "gradient" to Tensor(image.shape, gradient),
        )
    }

    @Test
    fun theImageApproachesTheStyle() {
        val losses = ArrayList<Double>()
        val painted = StepRunner(step, rules, ::distances).paint(content, targets, 20) {
            losses.add(it.bestLoss)
            assertEquals(losses.size, it.iteration)
            assertEquals(20, it.iterations)
            true
        }
        assertEquals(losses.sortedDescending(), losses)
        assertTrue(painted.result.bestLoss <= losses.last())
        // The content weighs as much as the style: the colour lies halfway.
        val colour = listOf(0, 96, 192).map { painted.image.data[it] }
        for ((value, expected) in colour.zip(listOf(0.375f, 0.5f, 0.625f))) {
            assertEquals(expected, value, 1e-4f)
        }
        // The photo itself is untouched.
        assertEquals(setOf(0.5f), content.data.toSet())
    }

    @Test
    fun itCanBeStopped() {
        val runner = StepRunner(step, rules, ::distances)
        val result = runner.paint(content, targets, 20) { it.iteration < 3 }.result
        assertEquals(Ending.STOPPED to 3, result.ending to result.iterations)
        assertTrue(result.note.startsWith("stopped after iteration 3, best loss "), result.note)
    }

    @Test
    fun itKeepsTheBestWhenItDiverges() {
        val stopped = StepRunner(step, rules, ::distances).paint(content, targets, 2) { true }
        for ((fault, last) in listOf(Float.NaN to 4, 1e9f to 6)) {
            var runs = 0
            val runner = StepRunner(step, rules) { inputs ->
                runs += 1
                val loss = Tensor(listOf(1), floatArrayOf(fault))
                distances(inputs) + if (runs < 4) emptyMap() else mapOf("loss" to loss)
            }
            val painted = runner.paint(content, targets, 20) { true }
            assertContentEquals(stopped.image.data, painted.image.data)
            val (ending, iterations) = painted.result.let { it.ending to it.iterations }
            assertEquals(Ending.DIVERGED to last, ending to iterations)
        }
        val note = "diverged at iteration 4 with a loss of 1000000000; the best picture was kept, "
        val result = stopped.result.copy(iterations = 4, lastLoss = 1e9, ending = Ending.DIVERGED)
        assertTrue(result.note.startsWith(note), result.note)
    }

    @Test
    fun theLastImageIsEvaluatedToo() {
        var runs = 0
        val runner = StepRunner(step, rules) { inputs -> distances(inputs).also { runs += 1 } }
        val result = runner.paint(content, targets, 3) { true }.result
        assertEquals(4 to 3, runs to result.iterations)
        assertEquals(result.bestLoss, result.lastLoss)
    }

    @Test
    fun theFirstStepChangesPixelsByWhatTheManifestSays() {
        var image = content.data
        val runner = StepRunner(step, rules.copy(firstChange = 0.01)) { inputs ->
            image = inputs.getValue("image").data
            distances(inputs)
        }
        runner.paint(content, targets, 1) { true }
        val changes = image.indices.map { Math.abs(image[it] - content.data[it]) }
        assertEquals(0.01, changes.average(), 1e-5)
    }

    @Test
    fun withoutStrengthItIsThePhoto() {
        val plain = StepRunner.Targets(targets.target, targets.code, 0f)
        val painted = StepRunner(step, rules, ::distances).paint(content, plain, 20) { true }
        assertEquals("converged at iteration 1, best loss 0", painted.result.note)
        assertContentEquals(content.data, painted.image.data)
    }

    @Test
    fun aLossThatIsNeverFiniteIsAnError() {
        val runner = StepRunner(step, rules) { inputs ->
            distances(inputs) + ("loss" to Tensor(listOf(1), floatArrayOf(Float.NaN)))
        }
        assertFailsWith<ArithmeticException> { runner.paint(content, targets, 20) { true } }
    }

    @Test
    fun aContentFileGivesTheTarget() {
        val file = manifest.files.first { it.role == Role.CONTENT }
        val runner = ModelRunner(file, SizeFact(8, 12)) { inputs ->
            assertEquals(setOf("content"), inputs.keys)
            mapOf("content_target" to targets.target)
        }
        assertEquals(targets.target, runner.contentTarget(content))
    }

    @Test
    fun aGradientOfChannelsLastIsTurned() {
        val file = manifest.files.first { it.role == Role.STEP && it.path.endsWith(".tflite") }
        val fact = file.outputs.first { it.kind == TensorKind.GRADIENT }
        val tensor = FileTensor.of(fact, 8, 12)
        assertEquals(listOf(1, 8, 12, 3) to listOf(1, 3, 8, 12), tensor.shape to tensor.tensorShape)
        val buffer = ByteBuffer.allocate(tensor.bytes).order(ByteOrder.nativeOrder())
        repeat(tensor.elements) { buffer.putFloat(it - 100f) }
        val decoded = tensor.decode(buffer)
        // The second pixel's green, which is the fifth element.
        assertEquals(4f - 100f, decoded.data[96 + 1])
    }

    @Test
    fun filesAreMeasuredWithTheInputsOfTheirProbes() {
        val cells = listOf(Role.CONTENT, Role.STEP).map { role ->
            val file = manifest.files.first { it.role == role }
            LocalJob.cell(manifest, file, manifest.probesOf(file).single(), emptyMap())
        }
        val device = FakeDevice(
            Artifact.open(Fixtures.artifact),
            probes = { SafeTensors.read(Fixtures.bytes(it.probe)) },
        ) { cell ->
            if (cell.subject.role == Role.STEP) StepSession(this) else right(cell)
        }
        val plan = PlanFact(rounds = 2, seconds = 0.0, minSamples = 2, warmUpSeconds = 1e-3)
        for (cell in Protocol(plan, device, "android").measure(cells)) {
            assertEquals(CellStatus.MEASURED to "", cell.status to cell.message)
            assertEquals(2, cell.roundsNs.size)
            assertTrue(cell.parity!!.measuredDb > 100)
        }
    }

    /** Session that computes the loss of the inputs that it is fed. */
    private inner class StepSession(private val device: FakeDevice) : Session {
        private var fed = emptyMap<String, Tensor>()
        override val effective = mapOf("engine" to "fake")

        override fun feed(inputs: Map<String, Tensor>) {
            fed = inputs
        }

        override fun invoke(): Unit = device.tick(100)

        override fun fetch(): Map<String, Tensor> = distances(fed)

        override fun close() = Unit
    }

    @Test
    fun theWorstOutputCountsOnAProbe() {
        val probe = manifest.probesOf(step).first()
        val cell = LocalJob.cell(manifest, step, probe, emptyMap())
        val loss = Tensor(listOf(1), floatArrayOf(100f))
        fun gradient(last: Float) = Tensor(listOf(1, 3, 1, 1), floatArrayOf(1f, -2f, last))
        val expected = mapOf("loss" to loss, "gradient" to gradient(0f))
        val outputs = mapOf("loss" to loss, "gradient" to gradient(0.02f))
        val parity = ProbeCheck.parity(outputs, cell, expected, "android")
        // 10·log10(2² · 3 / 0.02²)
        assertEquals(44.77 to 0.02, parity.measuredDb to parity.maxAbsError)
        assertFailsWith<IllegalArgumentException> {
            ProbeCheck.parity(mapOf("loss" to loss), cell, expected, "android")
        }
    }
}
