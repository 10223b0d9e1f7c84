"""What is told of each layer: by one fake candidate after the other, and on a real one."""

from __future__ import annotations

import contextlib
import math
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from styleexport.core.recipe import FloatLayer
from styleexport.exporter.quantize.blocks import QuantizedBlock
from styleexport.exporter.search import sensitivity as module
from styleexport.exporter.search.sensitivity import LOSS, SAVED, Sensitivity, measure, plot

ERRORS = {"first": 1e-4, "second": 4e-4, "third": 1e-5}
SAVINGS = {"first": 0.1, "second": 0.3, "third": -0.01}


class Candidates:
    """Files whose loss and time are sums over their layers in int8."""

    def __init__(self, plan, inputs) -> None:
        self.blocks = [QuantizedBlock(n, n, "x", n, None, 1_000_000, False) for n in ERRORS]

    @contextlib.contextmanager
    def session(self, blocks):
        yield frozenset(block.layer for block in blocks)

    def time_share(self, session, baseline):
        assert baseline == frozenset()
        return 1 - sum(SAVINGS[layer] for layer in session)


@pytest.fixture
def found(monkeypatch) -> Sensitivity:
    monkeypatch.setattr(module, "Candidates", Candidates)
    float_layers = (FloatLayer(layer="last", reason="it is amplified"),)
    recipe = SimpleNamespace(settings=SimpleNamespace(name="w8c"), float_layers=float_layers)
    judge = SimpleNamespace(
        stills=range(7), psnr=lambda session: -10 * math.log10(sum(ERRORS[x] for x in session))
    )
    return measure(SimpleNamespace(recipe=recipe), {}, judge, lambda _: None)


def test_every_layer_is_taken_alone_and_left_out(found):
    assert [row.layer for row in found.layers] == list(ERRORS)
    first, second, _ = found.layers
    assert first.alone_db == pytest.approx(40, abs=0.01)
    assert second.without_db == pytest.approx(-10 * math.log10(1.1e-4), abs=0.01)
    assert [row.saved_share for row in found.layers] == pytest.approx(list(SAVINGS.values()))
    assert found.all_db == pytest.approx(-10 * math.log10(5.1e-4), abs=0.01)
    assert found.time_share == pytest.approx(0.61)
    assert (found.name, found.pictures) == ("w8c", 7)
    assert found.float_layers == {"last": "it is amplified"}


def test_the_plot_shows_shares_of_the_largest(found, tmp_path):
    plot(found, "network", tmp_path / "layers.png")
    pixels = np.asarray(Image.open(tmp_path / "layers.png").convert("RGB"))
    rows = [pixels[10 + module.ROW * (2 + index) + 4] for index in range(3)]
    lengths = [[int((row == colour).all(1).sum()) for row in rows] for colour in (LOSS, SAVED)]
    losses, savings = lengths
    assert losses[0] == pytest.approx(losses[1] / 4, abs=3)
    assert losses[1] == pytest.approx(module.BAR, abs=2)
    assert savings[0] == pytest.approx(savings[1] / 3, abs=3)
    assert savings[2] <= 2


@pytest.mark.slow
def test_a_real_network_is_measured(lite, lite_plan):
    from styleexport.exporter.int8_export import judge_of
    from styleexport.models.networks._open import open_network

    graph, feeds = lite[0], lite[1].inputs
    judge = judge_of(open_network("adain-lite"), graph)
    real = measure(lite_plan, feeds[0], judge, lambda _: None)
    assert len(real.layers) > 8
    # One layer alone in int8 loses less than all of them; leaving one out loses no more, within the
    # chance of rounding.
    assert min(row.alone_db for row in real.layers) > real.all_db
    assert min(row.without_db for row in real.layers) > real.all_db - 0.5
