"""What ranks filters: by name, by a function of the user's, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from styleexport.core.errors import UsageError
from styleexport.models.compress.prune.criteria import CRITERIA, find_criterion

# Three filters of two weights: one long, and two of which the first is near the middle of all.
KERNEL = torch.tensor([[3.0, 4.0], [1.0, 1.0], [0.0, 1.2]]).reshape(3, 2, 1, 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("l2", [5.0, 2**0.5, 1.2]),
        ("l1", [7.0, 2.0, 1.2]),
        ("geometric-median", [3.6056 + 4.1037, 3.6056 + 1.0198, 4.1037 + 1.0198]),
    ],
)
def test_each_criterion_by_hand(name, expected):
    assert find_criterion(name)(KERNEL).tolist() == pytest.approx(expected, abs=1e-4)


def test_criteria_rank_differently():
    order = {name: rank(KERNEL).argsort().tolist() for name, rank in CRITERIA.items()}
    assert order == {"l2": [2, 1, 0], "l1": [2, 1, 0], "geometric-median": [1, 2, 0]}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("my_criteria.py").write_text(
        "def largest(weight):\n    return weight.flatten(1).amax(1)\n\n\n"
        "def one(weight):\n    return weight.sum()\n\n\n"
        "def nan(weight):\n    return weight.flatten(1).sum(1) * float('nan')\n\n\n"
        "def broken(weight):\n    return weight.nothing\n\n\nnumber = 3\n"
    )


def test_a_function_of_the_user(own):
    assert find_criterion("my_criteria:largest")(KERNEL).tolist() == pytest.approx([4, 1, 1.2])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("l3", "unknown criterion 'l3': expected one of l2, l1, geometric-median, or package"),
        ("my_criteria:", "unknown criterion"),
        ("my_criteria:nothing", "my_criteria has no function 'nothing'"),
        ("my_criteria:number", "has no function 'number'"),
        ("no_such_module:x", "no module named 'no_such_module' here"),
    ],
)
def test_what_is_no_criterion(own, name, message):
    with pytest.raises(UsageError, match=message):
        find_criterion(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("one", r"returned \[\] for a kernel \[3, 2, 1, 1\], expected 3 finite figures"),
        ("nan", "expected 3 finite figures, one a filter"),
        ("broken", "failed on a kernel .* with AttributeError"),
    ],
)
def test_figures_that_do_not_fit(own, name, message):
    with pytest.raises(UsageError, match=message):
        find_criterion(f"my_criteria:{name}")(KERNEL)
