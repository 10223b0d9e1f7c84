"""What an export needs for its int8 files: plans, one a graph, and a judge of what they lose."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import torch

from styleexport.core.arrays import Array, Arrays
from styleexport.core.errors import UsageError
from styleexport.core.manifest import FileFact, PassFact, QualityFact, RecipeFact, sha256_of_file
from styleexport.core.recipe import Int8Recipe, write_recipe
from styleexport.core.types import Precision, Progress, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.quantize.blocks import default_islands, find_units
from styleexport.exporter.quantize.calibration_inputs import Feeds, GraphFeeds
from styleexport.exporter.quantize.plan import DEFAULT, Int8Plan, make_plan
from styleexport.exporter.request import ExportRequest
from styleexport.exporter.search.candidates import Candidates
from styleexport.exporter.search.search import SearchRequest, search
from styleexport.exporter.search.sensitivity import Sensitivity, measure
from styleexport.models.losses.loss_network import shipped_loss_network
from styleexport.models.network import LoadedNetwork
from styleexport.runtime_bench.quality.budget import Budget
from styleexport.runtime_bench.quality.judge import Judge
from styleexport.runtime_bench.quality.probes import quality_probes
from styleexport.runtime_bench.runners._runner import RunOptions, runner_for

BUDGETS = {Precision.INT8: "psnr>=35, style<=+5%", Precision.AUTO: "psnr>=38, style<=+5%"}

# The search measures in ONNX Runtime; other targets round here and there in another way.
SEVERAL_TARGETS_DB = 0.3
# What is tried where the fixed recipe is over budget.
SECOND = msgspec.structs.replace(DEFAULT, ranges="mse")


def judge_of(network: LoadedNetwork, graph: Graph) -> Judge:
    """Return a judge that knows what the float graph makes of the quality probes."""

    def encode(style: Array) -> Array:
        with torch.inference_mode():
            return network.role_module(Role.ENCODE)(torch.from_numpy(style)).numpy()

    module, result = graph.module(), graph.outputs[0].name
    names = [fact.name for fact in graph.inputs]
    size = graph.sizes[0] if graph.sizes else graph.size

    def reference(inputs: Arrays) -> dict[str, Array]:
        with torch.inference_mode():
            output = module(*(torch.from_numpy(np.asarray(inputs[name])) for name in names))
        return {result: (output[0] if isinstance(output, (tuple, list)) else output).numpy()}

    judge = Judge(shipped_loss_network(), quality_probes(size, names, encode))
    judge.reference(reference)
    return judge


class Quantizer:
    """Plans and judges the int8 files of one export.

    Args:
        request: settings, budget, recipe.
        folder: of the artifact, where recipes are written.
        progress: progress, a line at a time.
    """

    def __init__(self, request: ExportRequest, folder: Path, progress: Progress) -> None:
        self.request = request
        self.folder = folder
        self.progress = progress
        self.recipes: list[RecipeFact] = []
        self._plans: dict[tuple[Role, Size, Precision], tuple[Int8Plan, RecipeFact]] = {}
        self._judges: dict[tuple[Role, Size], Judge] = {}

    def budget(self, precision: Precision) -> Budget:
        """Return what files of a precision may lose."""
        return Budget.parse(self.request.budget or BUDGETS[precision])

    def judge(self, graph: Graph) -> Judge:
        """Return the judge of a graph's files."""
        key = (graph.role, graph.size)
        if key not in self._judges:
            self._judges[key] = judge_of(self.request.network, graph)
        return self._judges[key]

    def plan(
        self, graph: Graph, feeds: GraphFeeds, precision: Precision, label: str
    ) -> tuple[Int8Plan, RecipeFact]:
        """Return how a graph is computed in int8, found once for all targets.

        Raises:
            QualityBudgetExceeded: no recipe stays inside the budget.
        """
        key = (graph.role, graph.size, precision)
        if key not in self._plans:
            plan = self._made(graph, feeds, precision, label)
            self._plans[key] = plan, self._saved(plan.recipe, precision, label)
        return self._plans[key]

    def other_ranges(self, graph: Graph, feeds: GraphFeeds, label: str) -> bool:
        """Follow the second fixed recipe from now on, if it loses less in ONNX Runtime.

        The first takes in all that calibration saw. Where an activation has a long tail, that makes
        its steps so wide that the picture suffers; ranges of the least squared error cut the tail.

        Args:
            graph: whose files are over budget.
            feeds: calibration inputs.
            label: of the graph, for progress.
        """
        key = (graph.role, graph.size, Precision.INT8)
        first, fact = self._plans[key]
        # A graph of several sizes has no ONNX file in int8 to compare recipes by.
        given = self.request.recipe is not None or graph.sizes
        if given or first.recipe.settings != DEFAULT:
            return False
        self.progress(f"{label}: ranges of the least squared error, as the first are over budget")
        plan = make_plan(graph, feeds(), first.recipe.calibration, SECOND)
        if self._psnr_db(plan, graph, feeds) <= self._psnr_db(first, graph, feeds):
            return False
        self.recipes.remove(fact)
        self._plans[key] = plan, self._saved(plan.recipe, Precision.INT8, label)
        return True

    def _psnr_db(self, plan: Int8Plan, graph: Graph, feeds: GraphFeeds) -> float:
        candidates = Candidates(plan, feeds()[0])
        with candidates.session(candidates.units) as session:
            return self.judge(graph).psnr(session)

    def without_gains(self, graph: Graph, feeds: GraphFeeds, plan: Int8Plan) -> Int8Plan:
        """Return a plan with the same islands for targets that do not round results.

        There is nothing to gain from gains there, and they make weights harder to round. What was
        not followed is said among the passes.
        """
        recipe = plan.recipe
        settings = msgspec.structs.replace(recipe.settings, equalize=0.0)
        lifted = self._lifted(graph, recipe)
        plain = make_plan(
            graph, feeds(), recipe.calibration, settings, recipe.islands, lifted=lifted
        )
        reason = f"equalize {recipe.settings.equalize:g}: results are not rounded here, 0 is taken"
        fact = PassFact(name="equalize", applied=0, refused=(reason,))
        return dataclasses.replace(plain, facts=(fact,))

    def _lifted(self, graph: Graph, recipe: Int8Recipe) -> tuple[str, ...]:
        """Return the units that a recipe computes in int8 although they are in float by default."""
        module = graph.module()
        kept = {island.layer for island in recipe.islands}
        default = default_islands(module, find_units(module))
        return tuple(island.layer for island in default if island.layer not in kept)

    def _made(self, graph: Graph, feeds: GraphFeeds, precision: Precision, label: str) -> Int8Plan:
        calibration = feeds.feeds.images.fact([fact.name for fact in graph.inputs])
        given = self.request.recipe
        if given is not None and given.role == graph.role:
            self.progress(f"{label}: recipe {given.settings.name}")
            _check_islands(given, graph)
            lifted = self._lifted(graph, given)
            return make_plan(
                graph, feeds(), calibration, given.settings, given.islands, lifted=lifted
            )
        if precision is Precision.INT8:
            self.progress(f"{label}: ranges of {len(feeds())} calibration inputs")
            return make_plan(graph, feeds(), calibration)
        margin = SEVERAL_TARGETS_DB if len(self.request.targets) > 1 else 0.0
        state = self.request.out.with_name(f"{self.request.out.name}.search")
        return search(
            SearchRequest(
                graph=graph,
                feeds=feeds(),
                calibration=calibration,
                judge=self.judge(graph),
                budget=self.budget(precision).stricter(margin),
                state=state / f"{label}.json",
                label=label,
            ),
            self.progress,
        )

    def _saved(self, recipe: Int8Recipe, precision: Precision, label: str) -> RecipeFact:
        path = f"recipes/{label}_{precision}.json"
        (self.folder / "recipes").mkdir(exist_ok=True)
        write_recipe(recipe, self.folder / path)
        fact = RecipeFact(
            path=path,
            role=recipe.role,
            size=recipe.size,
            precision=precision,
            sha256=sha256_of_file(self.folder / path),
        )
        self.recipes.append(fact)
        return fact

    def quality(self, graph: Graph, fact: FileFact) -> QualityFact:
        """Return what a file loses, measured with the first runner of its format here."""
        file, judge = self.folder / fact.path, self.judge(graph)
        runner, budget = runner_for(file), self.budget(fact.precision)
        with runner.open(file, RunOptions()) as session:
            report = judge(session)
        return QualityFact(
            runner=runner.name,
            loss_network=report.loss_network,
            pictures=len(report.pictures),
            psnr_db=report.measured("psnr") or 0.0,
            all_psnr_db=report.psnr_db,
            worst_psnr_db=report.worst_psnr_db,
            ssim=report.ssim,
            style_change=report.style_change,
            gram_change=report.gram_change,
            flicker_change=report.flicker_change,
            budget=str(budget),
            failures=budget.failures(report),
        )


def _check_islands(recipe: Int8Recipe, graph: Graph) -> None:
    """Refuse a recipe whose islands the graph does not have: it is another network's.

    Raises:
        UsageError: which islands.
    """
    known = {unit.layer for unit in find_units(graph.module())}
    unknown = [island.layer for island in recipe.islands if island.layer not in known]
    if unknown:
        raise UsageError(
            f"--recipe keeps {', '.join(unknown)} in float, which the network does not have: it "
            "is of another network; leave out --recipe"
        )


def composed(paired: Mapping[str, str], written: Mapping[str, str]) -> dict[str, str]:
    """Return layer → tensor, through the layers of a rewritten graph."""
    return {layer: written[name] for layer, name in paired.items() if name in written}


def sensitivity_of(
    network: LoadedNetwork, role: Role, size: Size, calibration: Path | None, progress: Progress
) -> Sensitivity:
    """Return what each layer of one role loses and saves in int8.

    Raises:
        UsageError: the network has no such role, or the calibration folder is none.
        UnsupportedOp: the network cannot be captured, or has no layer to quantize.
    """
    progress(f"{network.network.name} {role} {size}: capture")
    graph, _ = apply_passes(capture(network, role, size))
    feeds = Feeds(network, calibration).of(graph)
    fact = feeds.feeds.images.fact([item.name for item in graph.inputs])
    progress(f"ranges of {len(feeds())} calibration inputs")
    plan = make_plan(graph, feeds(), fact)
    return measure(plan, feeds()[0], judge_of(network, graph), progress)
