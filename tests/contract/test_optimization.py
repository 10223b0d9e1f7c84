"""The problems that hosts minimize: what the fixture holds is what torch computes."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
import torch

from styleexport.models.network import OPTIMIZATION
from styleexport.runtime_bench.stylize.lbfgs import Ended, optimize
from tests.contract import make, optimization

CASES = json.loads((make.HERE / "optimization.json").read_text())
PROBLEMS = list(optimization.problems())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_losses_are_those_of_the_iterates(case):
    problem = {
        key: torch.tensor(value, dtype=torch.float64) if isinstance(value, list) else value
        for key, value in case.items()
    }
    losses = [optimization.loss_of(problem, x).item() for x in problem["iterates"]]
    # Iterates are rounded to six digits.
    assert losses == pytest.approx(case["losses"], rel=1e-4)
    assert min(losses) == pytest.approx(case["losses"][case["best"]], rel=1e-4)
    assert len(losses) == (9 if case["diverges"] else optimization.ITERATIONS + 1)


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: CASES[n]["name"])
def test_float32_is_within_the_tolerance_that_hosts_have(number):
    iterates, _ = optimization.minimize(PROBLEMS[number], torch.float32)
    expected = torch.tensor(CASES[number]["iterates"])
    actual = torch.stack(iterates[: len(expected)])
    error = (actual - expected).abs() / expected.abs().clamp(min=1)
    assert error.max() < CASES[number]["tolerance"]


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: CASES[n]["name"])
def test_the_python_host_computes_them(number):
    case, problem = CASES[number], PROBLEMS[number]

    def step(x):
        variable = torch.from_numpy(x.copy()).requires_grad_()
        loss = optimization.loss_of(problem, variable)
        loss.backward()
        return loss.item(), variable.grad.numpy()

    how = msgspec.structs.replace(
        # Its variable is then the vector itself.
        OPTIMIZATION,
        first_change=1 / optimization.VARIABLES,
        divergence=case["divergence"],
        patience=case["patience"],
    )
    start = np.array(case["start"], np.float32)
    found = optimize(step, start, how, optimization.ITERATIONS)
    losses = case["losses"][: len(found.losses)]
    assert found.losses == pytest.approx(losses, rel=case["tolerance"])
    assert found.loss == pytest.approx(case["losses"][case["best"]], rel=case["tolerance"])
    assert (found.ended is Ended.DIVERGED) == case["diverges"]


def curvatures(problem):
    """The products y·s of all steps."""
    iterates, _ = optimization.minimize(problem)
    gradients = [
        torch.autograd.functional.jacobian(lambda x: optimization.loss_of(problem, x), x)
        for x in iterates
    ]
    steps = zip(iterates, iterates[1:], gradients, gradients[1:], strict=False)
    return [float((later - x) @ (after - before)) for x, later, before, after in steps]


def test_each_problem_tests_what_its_name_says():
    by_name = {problem["name"]: problem for problem in PROBLEMS}
    at_start = curvatures(by_name["nonconvex at the start"])
    assert [value <= 1e-10 for value in at_start[:4]] == [True, True, False, False]
    later = curvatures(by_name["nonconvex later"])
    assert [value <= 1e-10 for value in later[:8]] == [False] * 6 + [True, False]
    assert min(curvatures(by_name["convex quartic"])) > 1e-10
    ill = by_name["ill-conditioned"]
    x = optimization.minimize(ill)[0][-1]
    hessian = torch.autograd.functional.hessian(lambda x: optimization.loss_of(ill, x), x)
    eigenvalues = torch.linalg.eigvalsh(hessian)
    assert eigenvalues[-1] / eigenvalues[0] > 500
