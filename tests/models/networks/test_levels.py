"""wct and optimal-wct: pairs of any levels, files that do not fit, chains against eigenvalues."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from styleexport.core.code_layout import Blending
from styleexport.core.errors import BadCheckpoint, UsageError
from styleexport.core.psnr import psnr_db
from styleexport.models.encoders import cd16x
from styleexport.models.networks import optimal_wct, wct
from styleexport.models.networks._levels import settings
from styleexport.models.networks._open import open_network
from styleexport.models.transforms import optimal
from styleexport.models.transforms import wct as transform
from tests.models.transforms.test_newton_schulz import by_eigenvalues, by_singular_values

BUILD = wct.NETWORK.build


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Folder of the five pairs under the release's names, random weights."""
    folder = tmp_path_factory.mktemp("cd16x")
    torch.manual_seed(0)
    network = BUILD()
    for level, encoder, decoder in zip(
        network.levels, network.encoders, network.decoders, strict=True
    ):
        names = cd16x.layer_names(encoder)
        pairs = dict(zip(names, [encoder.features[i] for i in encoder.conv_indices()], strict=True))
        parts = {"e": pairs | {"conv0": encoder.normalise}}
        indices = decoder.conv_indices()
        parts["d"] = dict(zip(names[::-1], [decoder.layers[i] for i in indices], strict=True))
        for part, layers in parts.items():
            state = {f"{n}.{k}": v for n, x in layers.items() for k, v in x.state_dict().items()}
            torch.save({"model": state}, folder / f"{part}{level}.pth")
    return folder


def test_a_code_of_all_levels_has_the_published_length():
    with torch.device("meta"):
        network = BUILD()
        code = network.encode(torch.empty(1, 3, 32, 32))
    assert code.shape == (1, 38_840)
    assert network.code_layout.length == 38_840


def test_pairs_in_any_order_say_which_levels(release, tmp_path):
    names = ("d2.pth", "e4.pth", "e2.pth", "d4.pth")
    module = open_network("wct", [release / name for name in names]).module
    assert settings(module) == {"levels": "42"}
    save_file(module.state_dict(), tmp_path / "w.safetensors")
    again = open_network("wct", [tmp_path / "w.safetensors"]).module
    assert settings(again) == {"levels": "42"}
    assert settings(open_network("wct", [release]).module) == {"levels": "54321"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["e4.pth", "d4.pth", "e2.pth"], r"e2\.pth has no decoder of level 2: wct takes pairs"),
        (["d4.pth", "e2.pth"], r"e2\.pth has no decoder of level 2"),
        (["e4.pth", "d4.pth", "e4.pth"], r"e4\.pth and .*e4\.pth are of one level: leave one out"),
    ],
)
def test_files_without_a_partner_are_named(names, message, release):
    with pytest.raises(BadCheckpoint, match=message):
        open_network("wct", [release / name for name in names])


def test_a_folder_that_lacks_a_file_names_it(release, tmp_path):
    (tmp_path / "e5.pth").write_bytes((release / "e5.pth").read_bytes())
    with pytest.raises(BadCheckpoint, match=r"d5\.pth does not exist"):
        open_network("wct", [tmp_path])


@pytest.mark.parametrize("levels", ["", "45", "6", "4,3"])
def test_levels_that_there_are_not(levels):
    with pytest.raises(UsageError, match="expected some of 54321, the deepest first"):
        BUILD(levels)


@pytest.mark.parametrize("name", ["wct", "optimal-wct"])
def test_the_published_chain_is_that_of_eigendecompositions(name, data, monkeypatch):
    """All five levels at the paper's strength, in float32 against float64 with eigenvalues."""
    network = open_network(name, [data / "weights" / "cd16x"]).module
    torch.manual_seed(0)
    content, style = (
        torch.nn.functional.interpolate(torch.rand(1, 3, 12, 12), size=96, mode="bilinear")
        + 0.1 * torch.rand(1, 3, 96, 96)
        for _ in range(2)
    )
    strength = torch.tensor([0.6])
    with torch.no_grad():
        painting = network.transfer(content, network.encode(style), strength)
        for module in (transform, optimal):
            monkeypatch.setattr(module, "roots", lambda s, iterations=0: by_eigenvalues(s, 1e-6))
        monkeypatch.setattr(optimal, "orthogonal_factor", lambda m, _: by_singular_values(m))
        network.double()
        code = network.encode(style.double())
        expected = network.transfer(content.double(), code, strength.double())
    assert psnr_db(painting.clamp(0, 1).numpy(), expected.clamp(0, 1).numpy(), 1.0) > 60


def test_codes_say_whether_they_blend():
    assert BUILD("1").code_layout.blending is Blending.EXACT
    layout = optimal_wct.NETWORK.build("1").code_layout
    assert layout.blending is Blending.APPROXIMATE and "mean of the transports" in layout.reason


def test_levels_of_a_name_are_kept_of_the_files(release, tmp_path):
    module = open_network("wct,levels=42", [release]).module
    assert settings(module) == {"levels": "42"}
    names = [part.name for part in module.code_layout.parts]
    assert names == ["relu4_1.mean", "relu4_1.root", "relu2_1.mean", "relu2_1.root"]
    whole = open_network("wct", [release]).module
    for place, level in ((1, "4"), (3, "2")):
        kept = module.encoders["42".index(level)].state_dict()
        assert all(torch.equal(v, kept[k]) for k, v in whole.encoders[place].state_dict().items())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("wct,levels=53", r"levels 5,3: expected some of 4,2, which the weights have, the deepest"),
        ("wct,levels=24", r"expected some of 4,2"),
        ("wct,level=4", r"unknown setting 'level=4' of wct: expected levels"),
        ("adain-vgg19,levels=4", r"adain-vgg19 has no levels to choose: leave out --levels"),
    ],
)
def test_levels_that_the_files_have_not(spec, message, release):
    names = ("d2.pth", "e4.pth", "e2.pth", "d4.pth")
    with pytest.raises(UsageError, match=message):
        open_network(spec, [release / name for name in names])
