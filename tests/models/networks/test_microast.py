"""microast: the release's four files, against a re-implementation that shares no code with it."""

from __future__ import annotations

import shutil

import pytest
import torch

from styleexport.core.errors import BadCheckpoint
from styleexport.core.types import Role
from styleexport.models.networks import microast
from styleexport.models.networks._open import open_network
from tests.networks_in_the_wild.microast import MicroAst as Independent

# Part → parameters of the published file.
PUBLISHED = {
    "content_encoder": 157_792,
    "style_encoder": 157_792,
    "modulator": 2_560,
    "decoder": 153_843,
}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Folder of four files under the published names, random weights."""
    folder = tmp_path_factory.mktemp("microast")
    torch.manual_seed(0)
    module = Independent()
    for part in microast.PARTS:
        state = module.get_submodule(part).state_dict()
        torch.save(state, folder / f"{part}_iter_160000.pth.tar")
    return folder


def painted(folder, shape=(1, 3, 48, 40)):
    """Codes and paintings of the network and of the independent one, of one picture each."""
    network, other = open_network("microast", [folder]).module, Independent().eval()
    for part in microast.PARTS:
        state = torch.load(folder / f"{part}_iter_160000.pth.tar", weights_only=True)
        other.get_submodule(part).load_state_dict(state)
    content, style, one = torch.rand(*shape), torch.rand(1, 3, 32, 48), torch.ones(1)
    with torch.no_grad():
        code = other.encode(style)
        return (
            (network.encode(style), code),
            (network.transfer(content, code, one), other.transfer(content, code, one)),
        )


def test_the_published_weights_compute_what_the_release_computes(data):
    (code, expected_code), (image, expected) = painted(data / "weights" / "microast")
    assert code.shape == (1, 512)
    assert torch.allclose(code, expected_code, rtol=0, atol=1e-5)
    assert torch.allclose(image, expected, rtol=0, atol=1e-5)


def test_files_of_the_published_keys_and_sizes_are_read(release):
    module = open_network("microast", [release]).module
    counts = {p: sum(x.numel() for x in module.get_submodule(p).parameters()) for p in PUBLISHED}
    assert counts == PUBLISHED
    pairs = painted(release)
    for computed, expected in pairs:
        assert torch.allclose(computed, expected, rtol=1e-5, atol=1e-5)


def test_files_are_told_apart_by_their_published_names_or_by_their_order(release, tmp_path):
    expected = open_network("microast", [release]).module.state_dict()
    backwards = sorted(release.iterdir(), reverse=True)
    for part in microast.PARTS:
        shutil.copy(release / f"{part}_iter_160000.pth.tar", tmp_path / f"my_{part}.pth")
    renamed = [tmp_path / f"my_{part}.pth" for part in microast.PARTS]
    for paths in (backwards, renamed):
        state = open_network("microast", paths).module.state_dict()
        assert all(torch.equal(state[key], value) for key, value in expected.items())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["content_encoder", "style_encoder", "decoder"], "there is no modulator in .*: type the"),
        (["content_encoder", "decoder"], "there is no style_encoder, modulator in"),
        (["modulator", "style_encoder", "decoder", "decoder"], "there is no content_encoder"),
    ],
)
def test_a_missing_file_is_named(names, message, release):
    paths = [release / f"{name}_iter_160000.pth.tar" for name in names]
    with pytest.raises(BadCheckpoint, match=message):
        open_network("microast", paths)


def test_a_folder_that_lacks_a_file_names_it(release, tmp_path):
    folder = tmp_path / "weights"
    shutil.copytree(release, folder)
    (folder / "decoder_iter_160000.pth.tar").unlink()
    with pytest.raises(BadCheckpoint, match=r"there is no decoder in folder .*weights: type"):
        open_network("microast", [folder])


def test_a_file_of_another_width_is_refused(release, tmp_path):
    folder = tmp_path / "weights"
    shutil.copytree(release, folder)
    path = folder / "modulator_iter_160000.pth.tar"
    state = torch.load(path, weights_only=True)
    torch.save({key: value[:32] for key, value in state.items()}, path)
    message = r"modulator_iter.* mis-shaped: weight1.* is \[32, 1, 3, 3\], expected \[64, 1, 3, 3\]"
    with pytest.raises(BadCheckpoint, match=message):
        open_network("microast", [folder])


def test_strength_zero_is_the_photograph_itself(release):
    transform = open_network("microast", [release]).role_module(Role.TRANSFORM)
    content = torch.rand(1, 3, 37, 45)
    with torch.no_grad():
        assert torch.equal(transform(content, torch.rand(1, 512), torch.zeros(1)), content)
