"""Layers that an int8 file over budget had better compute in float: few, and chosen by measuring.

Often one or two convolutions make most of the error, such as one whose output is scaled by the
style and then normalised. Each is measured in float alone, with all others in int8; those that win
most for their multiplications go to float one after the other, until the file is inside its budget.
`search` does more: it tries settings, and weighs time.
"""

from __future__ import annotations

from styleexport.core.arrays import Arrays
from styleexport.core.counted import counted
from styleexport.core.types import Progress
from styleexport.exporter.quantize.blocks import QuantizedBlock, float_layer
from styleexport.exporter.quantize.plan import Int8Plan
from styleexport.exporter.search.candidates import Candidates
from styleexport.runtime_bench.quality.budget import Budget
from styleexport.runtime_bench.quality.judge import QUICK_EVERY, Judge
from styleexport.runtime_bench.runners._runner import Session

# Of the multiplications: with more of them in float the file would hardly be one in int8.
MOST_FLOAT = 0.25
# Of the squared error: a layer that makes less is not worth its time.
LEAST_WON = 0.01
# Layers that are named where no few of them are enough.
NAMED = 4
FOR_BUDGET = "the quality budget asks for it: {won:.0%} of the error, {share:.1%} of the MACs"


def with_more_float(
    plan: Int8Plan,
    inputs: Arrays,
    judge: Judge,
    budget: Budget,
    progress: Progress,
    *,
    margin_db: float = 0.0,
) -> Int8Plan | None:
    """Return a plan that a few more layers in float bring inside a budget; None where none does.

    Args:
        plan: plan over budget.
        inputs: inputs of the graph.
        judge: judge of the graph's files.
        budget: budget to stay inside of.
        progress: progress, a line a trial.
        margin_db: decibels by which it had better stay inside; less is taken where that fails.
    """
    stricter, inside = budget.stricter(margin_db), None
    candidates = Candidates(plan, inputs)
    blocks = candidates.blocks
    macs = sum(block.macs for block in blocks)
    with candidates.session(blocks) as session:
        error = _squared_error(judge, session)
    won: dict[QuantizedBlock, float] = {}
    several = blocks if len(blocks) > 1 else ()
    for block in counted(several, "layers in float, each alone", progress):
        with candidates.session([other for other in blocks if other is not block]) as session:
            won[block] = 1 - _squared_error(judge, session) / error
    order = sorted(blocks, key=lambda block: won.get(block, 0) / max(block.macs, 1), reverse=True)
    kept: list[QuantizedBlock] = []
    for block in order:
        share = sum(item.macs for item in (*kept, block)) / max(macs, 1)
        if won.get(block, 0) < LEAST_WON or share > MOST_FLOAT:
            continue
        kept.append(block)
        with candidates.session([other for other in blocks if other not in kept]) as session:
            report = judge(session)
        progress(f"{block.layer} in float too: {report.measured('psnr'):.2f} dB")
        if budget.failures(report):
            continue
        inside = plan.with_float_layers(
            [
                float_layer(x, FOR_BUDGET.format(won=won[x], share=x.macs / max(macs, 1)))
                for x in kept
            ]
        )
        if not stricter.failures(report):
            return inside
    if inside is not None:
        return inside
    worst = sorted(won, key=lambda block: won[block], reverse=True)[:NAMED]
    shares = ", ".join(f"{block.layer} {won[block]:.0%}" for block in worst) or "all one layer"
    progress(f"leaving a few layers in float is not enough; shares of the error: {shares}")
    return None


def _squared_error(judge: Judge, session: Session) -> float:
    return 10 ** (-judge.psnr(session, every=QUICK_EVERY) / 10)
