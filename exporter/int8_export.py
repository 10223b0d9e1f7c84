"""int8 plans of an export: given, fixed or searched; chosen before any int8 file is written."""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from styleexport.core.errors import UsageError
from styleexport.core.manifest import PassFact, RecipeFact, SizeFact, sha256_of_file
from styleexport.core.recipe import Int8Recipe, Settings, write_recipe
from styleexport.core.types import Precision, Progress, Role, Size
from styleexport.exporter.graph.capture import capture
from styleexport.exporter.graph.graph import Graph
from styleexport.exporter.graph.rewrite import apply_passes
from styleexport.exporter.graph_job import GraphJob, judge_of
from styleexport.exporter.quantize.blocks import (
    AMPLIFIED,
    amplified_layers,
    default_float_layers,
    find_blocks,
)
from styleexport.exporter.quantize.calibration import read_calibration
from styleexport.exporter.quantize.calibration_inputs import calibration_inputs
from styleexport.exporter.quantize.plan import AppliedPlan, Int8Plan, make_plan
from styleexport.exporter.recipes import DEFAULTS, FIRST, OVER_BUDGET, OWN
from styleexport.exporter.request import QUANTIZED
from styleexport.exporter.rewrites.choices import for_integers
from styleexport.exporter.search.float_layers import with_more_float
from styleexport.exporter.search.search import SearchRequest, search
from styleexport.exporter.search.sensitivity import Sensitivity, measure
from styleexport.exporter.targets._target import Model, Recipe, Target
from styleexport.exporter.targets.onnx import TARGET as ONNX
from styleexport.models.network import LoadedNetwork
from styleexport.runtime_bench.quality.budget import Budget
from styleexport.runtime_bench.quality.report import QualityReport

# The search measures in ONNX Runtime; other targets round here and there in another way.
OTHER_TARGETS_DB = 0.3
# A search looks at one size of a file that takes any, and others lose a little more.
OTHER_SIZES_DB = 0.5
# Where a few layers go to float, files of the others were up to this much worse.
FEW_FLOAT_DB = 1.0
# What a few layers in float can win at most; a budget further away is not tried.
MOST_WON_DB = 10.0


@dataclass(frozen=True)
class MeasuredPlan:
    """A plan and its ONNX file, judged in ONNX Runtime.

    Attributes:
        plan: plan of the graph.
        applied: plan as the graph of the file.
        model: lowered model that the file was stored from.
        sha256: digest of the file.
        reports: what the file loses, at each size that it is judged at, its own first.
    """

    plan: Int8Plan
    applied: AppliedPlan
    model: Model
    sha256: str
    reports: tuple[QualityReport, ...]

    @property
    def worst(self) -> QualityReport:
        """What the file loses at the size of its lowest PSNR."""
        return min(self.reports, key=lambda report: report.measured("psnr") or 0.0)

    def failures(self, budget: Budget) -> tuple[str, ...]:
        """Return each limit that does not hold, at any size."""
        return tuple(failure for report in self.reports for failure in budget.failures(report))


@dataclass(frozen=True)
class ChosenPlan:
    """Plan of all int8 files of one graph and precision.

    Attributes:
        plan: ranges, float layers, rounded weights.
        recipe: fact of the recipe's file.
        measured: the plan's ONNX file, where it was measured for the choice.
    """

    plan: Int8Plan
    recipe: RecipeFact
    measured: MeasuredPlan | None = None


def budget_of(job: GraphJob, precision: Precision) -> Budget:
    """Return what files of a precision may lose."""
    asked = job.run.request.budget if precision in QUANTIZED else None
    if job.graph.chooses:
        default = DEFAULTS.choices[precision]
    elif job.whitens:
        default = DEFAULTS.whitenings[precision]
    else:
        default = DEFAULTS.budgets[precision]
    return Budget.parse(asked or default)


def choose_plans(job: GraphJob) -> dict[Precision, ChosenPlan]:
    """Return how a graph is computed in int8, by precision, and write the recipes.

    Raises:
        QualityBudgetExceeded: no searched recipe stays inside the budget.
        UsageError: the recipe that was asked for is another network's.
    """
    asked = dict.fromkeys(p for _, precisions in job.targets for p in precisions)
    return {precision: _chosen(job, precision) for precision in asked if precision in QUANTIZED}


def _chosen(job: GraphJob, precision: Precision) -> ChosenPlan:
    given, own, measured = job.run.request.recipe, OWN.get(precision), None
    if given is not None and given.role == job.graph.role:
        plan = _given_plan(job, given, own or given.settings)
    elif precision is Precision.AUTO:
        plan = _searched_plan(job)
    else:
        count = len(job.calibration.inputs)
        job.progress(f"ranges of {count} calibration inputs")
        graph, _ = job.for_integers()
        plan = make_plan(graph, job.calibration, own or FIRST, progress=job.progress)
        # A graph of several sizes has no ONNX file in int8 to compare recipes by.
        if given is None and own is None and not job.graph.sizes:
            measured = with_more_float_layers(job, with_best_ranges(job, plan))
            plan = measured.plan
    rewritten = dataclasses.replace(plan, facts=(*job.for_integers()[1], *plan.facts))
    return ChosenPlan(rewritten, _save_recipe(job, plan.recipe, precision), measured)


def _given_plan(job: GraphJob, recipe: Int8Recipe, settings: Settings) -> Int8Plan:
    """Return the plan of the float layers that were asked for, and of the settings."""
    job.progress(f"recipe {settings.name}")
    graph, _ = job.for_integers()
    _check_float_layers(recipe, graph)
    return make_plan(
        graph,
        job.calibration,
        settings,
        recipe.float_layers,
        forced_int8=_forced_int8(graph, recipe),
        progress=job.progress,
    )


def _searched_plan(job: GraphJob) -> Int8Plan:
    request, sizes = job.run.request, job.judged_sizes
    # Of a file of any size the smallest pictures lose most, as a rule; it is judged at all.
    smallest = min(sizes, key=lambda size: size.height * size.width)
    margin = max(_margin(job, OTHER_TARGETS_DB), OTHER_SIZES_DB if len(sizes) > 1 else 0.0)
    state = request.out.with_name(f"{request.out.name}.search")
    return search(
        SearchRequest(
            graph=job.for_integers()[0],
            calibration=job.calibration,
            judge=job.judge_at(smallest),
            budget=budget_of(job, Precision.AUTO).stricter(margin),
            state=state / f"{job.name}.json",
            label=str(job.name),
        ),
        job.run.progress,
    )


def with_best_ranges(job: GraphJob, first: Int8Plan) -> MeasuredPlan:
    """Return the first plan, or one with other ranges if that loses less and the first too much.

    The first takes in all that calibration saw. Where an activation has a long tail, that makes its
    steps so wide that the picture suffers; ranges of the least squared error cut the tail. Both are
    measured in ONNX Runtime, whatever the targets are.
    """
    measured = measure_plan(job, first)
    if not measured.failures(budget_of(job, Precision.INT8)):
        return measured
    job.progress("ranges of the least squared error, as the first are over budget")
    plan = make_plan(first.source, job.calibration, OVER_BUDGET, progress=job.progress)
    other = measure_plan(job, plan)
    return other if other.worst.psnr_db > measured.worst.psnr_db else measured


def with_more_float_layers(job: GraphJob, measured: MeasuredPlan) -> MeasuredPlan:
    """Return a plan over budget with a few layers in float that bring it inside, if that works."""
    budget = budget_of(job, Precision.INT8)
    missing = (budget.limit("psnr") or 0.0) - (measured.worst.measured("psnr") or 0.0)
    if missing > MOST_WON_DB or not measured.failures(budget):
        return measured
    job.progress("layers in float, as the file is over budget")
    plan = with_more_float(
        measured.plan,
        job.calibration.inputs[0],
        job.judge_at(measured.worst.size.size()),
        budget,
        job.progress,
        margin_db=_margin(job, FEW_FLOAT_DB),
    )
    return measured if plan is None else measure_plan(job, plan)


def _margin(job: GraphJob, others: float) -> float:
    """Return by how many decibels a plan, measured in ONNX, is to stay inside its budget."""
    return 0.0 if tuple(job.run.request.targets) == ("onnx",) else others


def measure_plan(job: GraphJob, plan: Int8Plan) -> MeasuredPlan:
    """Return a plan with what its ONNX file loses."""
    applied = plan.applied()
    recipe = Recipe(Precision.INT8, job.network, applied.recipe)
    model = ONNX.lower(job.source_of(applied.graph), recipe)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.onnx"
        model.store(recipe, path)
        return MeasuredPlan(plan, applied, model, sha256_of_file(path), job.judged(path))


def plan_for(target: Target, job: GraphJob, chosen: ChosenPlan) -> Int8Plan:
    """Return the plan that a target follows: the one that was chosen, where that fits.

    Where results are not rounded, outputs need no segments, and channels are equalized no further
    than the target says, as that makes weights harder to round; what was not applied is said among
    the passes.
    """
    recipe, settings = chosen.plan.recipe, chosen.plan.recipe.settings
    graph, rewrites = job.for_integers(target.name)
    # Convolutions have the same names in both graphs, as no rewrite adds or removes one.
    kept, forced, facts = recipe.float_layers, set(_forced_int8(graph, recipe)), ()
    if target.rounds_results or not settings.equalize:
        if graph is chosen.plan.source and not target.shares_phase_scales:
            return chosen.plan
    elif target.equalization >= settings.equalize:
        settings = msgspec.structs.replace(settings, segments=False)
        # Nothing amplifies what is not rounded.
        kept = tuple(item for item in kept if item.reason != AMPLIFIED)
        forced |= amplified_layers(graph.reading)
    else:
        taken = target.equalization
        reason = f"equalize {settings.equalize:g}: results are not rounded here, {taken:g} is taken"
        facts = (PassFact(name="equalize", applied=0, refused=(reason,)),)
        settings = msgspec.structs.replace(settings, segments=False, equalize=taken)
    plan = make_plan(
        graph,
        job.calibration,
        settings,
        kept,
        forced_int8=forced,
        share_phase_scales=target.shares_phase_scales,
        progress=job.progress,
    )
    return dataclasses.replace(plan, facts=(*rewrites, *plan.facts, *facts))


def _forced_int8(graph: Graph, recipe: Int8Recipe) -> tuple[str, ...]:
    """Return the recipe's int8 blocks that are in float by default."""
    kept = {item.layer for item in recipe.float_layers}
    default = default_float_layers(
        graph.reading, find_blocks(graph.reading), segments=recipe.settings.segments
    )
    return tuple(item.layer for item in default if item.layer not in kept)


def _save_recipe(job: GraphJob, recipe: Int8Recipe, precision: Precision) -> RecipeFact:
    name = dataclasses.replace(job.name, precision=precision, suffix=".json")
    file = job.run.folder / "recipes" / str(name)
    file.parent.mkdir(exist_ok=True)
    # Open sizes were captured at one of no meaning.
    recipe = msgspec.structs.replace(recipe, size=SizeFact.of(job.sizes[0]))
    write_recipe(recipe, file)
    return RecipeFact(
        path=f"recipes/{name}",
        role=recipe.role,
        size=recipe.size,
        precision=precision,
        sha256=sha256_of_file(file),
    )


def _check_float_layers(recipe: Int8Recipe, graph: Graph) -> None:
    """Refuse a recipe whose float layers the graph does not have: it is another network's.

    Raises:
        UsageError: which layers.
    """
    known = {block.layer for block in find_blocks(graph.reading)}
    unknown = [item.layer for item in recipe.float_layers if item.layer not in known]
    if unknown:
        raise UsageError(
            f"--recipe keeps {', '.join(unknown)} in float, which the network does not have: it "
            "is of another network; leave out --recipe"
        )


def sensitivity_of(
    network: LoadedNetwork, role: Role, size: Size, calibration: Path | None, progress: Progress
) -> Sensitivity:
    """Return what each layer of one role loses and saves in int8.

    Raises:
        UsageError: the network has no such role, or the calibration folder is none.
        UnsupportedOp: the network cannot be captured, or has no layer to quantize.
    """
    progress(f"{network.network.name} {role} {size}: capture")
    graph, _ = for_integers(apply_passes(capture(network, role, size))[0])
    inputs = calibration_inputs(network, read_calibration(calibration), graph)
    progress(f"ranges of {len(inputs.inputs)} calibration inputs")
    plan = make_plan(graph, inputs, progress=progress)
    return measure(plan, inputs.inputs[0], judge_of(network, graph, progress), progress)
