"""The fastest int8 file inside a quality budget, found by writing, running and judging candidates.

First the settings: the fixed recipe, and others only if it is over budget; the best goes on. If it
is still over budget, blocks go back to float one at a time, that first which wins most quality for
the time that it costs, and then every one is tried without again. If it is inside from the start,
blocks that stay in float by default are tried in int8. Nothing is estimated: each step is a real
file in ONNX Runtime, against the float32 file in turns.

Every trial is kept as soon as it is known, so that an interrupted search goes on where it was.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from styleexport.core.errors import QualityBudgetExceeded, UsageError
from styleexport.core.files import json_product, replace_file
from styleexport.core.input_files import read_input
from styleexport.core.recipe import FloatLayer, Settings, Trial
from styleexport.core.types import Progress
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.quantize.blocks import AMPLIFIED, QuantizedBlock, float_layer
from styleexport.exporter.quantize.calibration_inputs import CalibrationInputs
from styleexport.exporter.quantize.plan import Int8Plan, make_plan
from styleexport.exporter.recipes import FASTER, FIRST, SEARCHED
from styleexport.exporter.search.candidates import Candidates
from styleexport.runtime_bench.quality.budget import Budget
from styleexport.runtime_bench.quality.judge import QUICK_EVERY, Judge

# A trial is faster if it takes less than this share of the other's time: below is noise.
FASTER_SHARE = 0.97
# Of the float time: what a block in float costs at least, below which nothing can be measured.
LEAST_COST = 0.005
FOR_BUDGET = "the quality budget asks for it: {gain:.2f} dB for {cost:.1%} of the float time"


@dataclass(frozen=True)
class SearchRequest:
    """Graph and limits of a search.

    Attributes:
        graph: float32, one size.
        calibration: inputs that ranges are taken from; the first is what time is measured on.
        judge: judge of the graph's files.
        budget: budget to stay inside of.
        state: file that keeps the trials of an interrupted search.
        label: name of the graph, for progress.
    """

    graph: Graph
    calibration: CalibrationInputs
    judge: Judge
    budget: Budget
    state: Path
    label: str


class QuickScore(msgspec.Struct, frozen=True):
    """A file with one block in float, judged on a few pictures."""

    layer: str
    psnr_db: float
    time_share: float


class _State(msgspec.Struct, frozen=True):
    """State of a search over one graph, calibration and budget."""

    digest: str
    trials: tuple[Trial, ...]
    quick_scores: tuple[QuickScore, ...] = msgspec.field(name="glances")


STATE = json_product("the state of a search", "digest", "trials")


def search(request: SearchRequest, progress: Progress) -> Int8Plan:
    """Return the plan of the fastest trial inside the budget.

    Raises:
        QualityBudgetExceeded: not even a file with a single block in int8 stays inside.
    """
    return _Search(request, progress).run()


@dataclass
class _Search:
    request: SearchRequest
    progress: Progress
    trials: list[Trial] = field(default_factory=list[Trial])
    quick_scores: list[QuickScore] = field(default_factory=list[QuickScore])
    plans: dict[tuple[str, tuple[str, ...]], Candidates] = field(default_factory=dict[Any, Any])
    digest: str = ""

    def run(self) -> Int8Plan:
        """Search, and return what was found."""
        self._resume()
        best = self._settled()
        best = self._with_less_float(best) if best.inside else self._with_islands(best)
        self.request.state.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others' searches may still be in it
            self.request.state.parent.rmdir()
        return self._plan(best)

    def _settled(self) -> Trial:
        """Return the trial of the fixed recipe, or of the best settings if that is over budget."""
        first = self._tried(FIRST, ())
        if first.inside:
            cheaper = self._tried(FASTER, ())
            worth = cheaper.inside and cheaper.time_share < FASTER_SHARE * first.time_share
            return cheaper if worth else first
        tried = [first, *(self._tried(settings, ()) for settings in SEARCHED)]
        inside = [trial for trial in tried if trial.inside]
        if inside:
            return min(inside, key=lambda trial: trial.time_share)
        return max(tried, key=lambda trial: trial.psnr_db)

    def _with_islands(self, start: Trial) -> Trial:
        """Return the best trial that more blocks in float bring inside the budget."""
        blocks = self._candidates(start.settings, ()).blocks
        base = self._quick_score(start.settings, "")

        def worth(layer: str) -> float:
            score = self._quick_score(start.settings, layer)
            won = 10 ** (-base.psnr_db / 10) - 10 ** (-score.psnr_db / 10)
            return won / max(score.time_share - base.time_share, LEAST_COST)

        order = sorted((block.layer for block in blocks), key=worth, reverse=True)
        kept: tuple[str, ...] = ()
        trial = start
        for layer in order[:-1]:
            kept = (*kept, layer)
            trial = self._tried(start.settings, kept)
            if trial.inside:
                break
        if not trial.inside:
            raise QualityBudgetExceeded(
                f"{self.request.label}: no int8 file stays inside {self.request.budget}: with one "
                f"layer in int8 alone psnr is {trial.psnr_db:.1f} dB; type --precision fp16, or a "
                "wider --budget"
            )
        for layer in reversed(kept[:-1]):
            fewer = tuple(name for name in trial.float_layers if name != layer)
            without = self._tried(start.settings, fewer)
            if without.inside and without.time_share <= trial.time_share:
                trial = without
        return trial

    def _quick_score(self, settings: Settings, layer: str) -> QuickScore:
        """Return a quick look at the file with one more block in float, or with none ("")."""
        known = {score.layer: score for score in self.quick_scores}
        if layer not in known:
            candidates = self._candidates(settings, ())
            blocks = [block for block in candidates.blocks if block.layer != layer]
            with candidates.session(blocks) as session, candidates.session(()) as baseline:
                share = candidates.time_share(session, baseline)
                decibels = self.request.judge.psnr(session, every=QUICK_EVERY)
            known[layer] = QuickScore(layer=layer, psnr_db=decibels, time_share=share)
            self.quick_scores.append(known[layer])
            self._keep()
            self.progress(
                f"{self.request.label}: {layer or 'all'} {'in float' if layer else 'in int8'}: "
                f"{decibels:.2f} dB, {share:.0%} of float32's time"
            )
        return known[layer]

    def _with_less_float(self, start: Trial) -> Trial:
        """Return the trial with blocks in int8 that stay in float by default, where that pays."""
        float_layers = self._candidates(start.settings, ()).plan.recipe.float_layers
        forced_int8 = tuple(x.layer for x in float_layers if x.reason == AMPLIFIED)
        if not forced_int8:
            return start
        trial = self._tried(start.settings, (), forced_int8)
        worth = trial.inside and trial.time_share < FASTER_SHARE * start.time_share
        return trial if worth else start

    def _tried(
        self, settings: Settings, float_layers: tuple[str, ...], forced_int8: tuple[str, ...] = ()
    ) -> Trial:
        """Return the trial of settings and float layers, made if it is new."""
        float_layers = tuple(sorted(float_layers))
        for trial in self.trials:
            if (trial.settings, trial.float_layers, trial.forced_int8) == (
                settings,
                float_layers,
                forced_int8,
            ):
                return trial
        candidates = self._candidates(settings, forced_int8)
        blocks = [block for block in candidates.blocks if block.layer not in float_layers]
        with candidates.session(blocks) as session, candidates.session(()) as baseline:
            quality = self.request.judge(session)
            share = candidates.time_share(session, baseline)
        trial = Trial(
            settings=settings,
            float_layers=float_layers,
            forced_int8=forced_int8,
            psnr_db=quality.measured("psnr") or 0.0,
            style_change=quality.style_change,
            time_share=round(share, 4),
            inside=not self.request.budget.failures(quality),
        )
        self.trials.append(trial)
        self._keep()
        self.progress(
            f"{self.request.label}: {settings.name}, {len(float_layers)} more in float: "
            f"{trial.psnr_db:.2f} dB, {trial.time_share:.0%} of float32's time"
            f"{'' if trial.inside else ', over budget'}"
        )
        return trial

    def _candidates(self, settings: Settings, forced_int8: tuple[str, ...]) -> Candidates:
        key = (settings.name, forced_int8)
        if key not in self.plans:
            request = self.request
            plan = make_plan(
                request.graph,
                request.calibration,
                settings,
                forced_int8=forced_int8,
                progress=self.progress,
            )
            self.plans[key] = Candidates(plan, request.calibration.inputs[0])
        return self.plans[key]

    def _plan(self, best: Trial) -> Int8Plan:
        """Return the plan of a trial, with the record of all of them."""
        candidates = self._candidates(best.settings, best.forced_int8)
        plan = candidates.plan
        blocks = {block.layer: block for block in candidates.blocks}
        float_layers = tuple(self._float_layer(blocks[layer], best) for layer in best.float_layers)
        front = [
            msgspec.structs.replace(
                trial, on_front=not any(_beats(other, trial) for other in self.trials)
            )
            for trial in self.trials
        ]
        plan = plan.with_float_layers(float_layers)
        recipe = msgspec.structs.replace(plan.recipe, trials=tuple(front))
        return replace(plan, recipe=recipe)

    def _float_layer(self, block: QuantizedBlock, best: Trial) -> FloatLayer:
        base, alone = (self._quick_score(best.settings, layer) for layer in ("", block.layer))
        gain, cost = alone.psnr_db - base.psnr_db, alone.time_share - base.time_share
        return float_layer(block, FOR_BUDGET.format(gain=gain, cost=cost))

    def _resume(self) -> None:
        request = self.request
        self.digest = " ".join(
            (request.graph.digest(), request.calibration.fact.sha256, str(request.budget))
        )
        try:
            state = msgspec.json.decode(read_input(request.state), type=_State)
        except (UsageError, msgspec.DecodeError):
            return
        if state.digest == self.digest:
            self.trials, self.quick_scores = list(state.trials), list(state.quick_scores)
            self.progress(
                f"{request.label}: {len(self.trials)} trials of an earlier search are kept"
            )

    def _keep(self) -> None:
        self.request.state.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(self.request.state, STATE) as part:
            part.write_bytes(
                msgspec.json.encode(
                    _State(self.digest, tuple(self.trials), tuple(self.quick_scores))
                )
            )


def _beats(one: Trial, other: Trial) -> bool:
    """Whether a trial is at least as good and as fast as another, and better in one of the two."""
    ahead = (one.psnr_db >= other.psnr_db, one.time_share <= other.time_share)
    same = (one.psnr_db, one.time_share) == (other.psnr_db, other.time_share)
    return all(ahead) and not same
