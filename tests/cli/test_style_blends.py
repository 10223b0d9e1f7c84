"""Blends of style codes: made, called approximate, or refused, and codes of another network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from styleexport.core.images import read_image, write_image
from styleexport.core.manifest import read_manifest, sha256_of_file
from tests.cli.conftest import edit_manifest, module_file, nothing_at, picture

CONTRACT = Path(__file__).resolve().parents[1] / "contract"
MEANS = {
    "parts": [{"name": "mean", "shape": [3]}, {"name": "deviation", "shape": [3]}],
    "blending": "exact",
}
REASON = "each pixel takes the nearest colour of one style"
# A style is four of its colours; each pixel of the content is replaced by the nearest.
NEAREST = """
    class Nearest(nn.Module):
        pixels = "0..1"
        code_layout = {
            "parts": [{"name": "bank", "shape": [4, 3]}], "blending": "none", "reason": REASON,
        }

        def encode(self, style):
            return F.adaptive_avg_pool2d(style, 2).flatten(2).transpose(1, 2).flatten(1)

        def transfer(self, content, code, strength):
            bank = code.reshape(-1, 4, 3)
            distance = (content[:, None] - bank[..., None, None]).square().sum(2)
            index = distance.argmin(1).flatten(1)[..., None].expand(-1, -1, 3)
            swapped = bank.gather(1, index).transpose(1, 2).reshape(content.shape)
            return content + strength * (swapped - content)

    def build():
        return Nearest()
"""


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """The contract's artifact, written by a version that knew no layouts of style codes."""
    return Path(shutil.copytree(CONTRACT / "artifacts/colour-transfer", tmp_path / "artifact"))


def declare(artifact: Path, layout: object) -> None:
    edit_manifest(artifact, lambda manifest: manifest["network"].update(code_layout=layout))


@pytest.fixture
def nearest(cli) -> Path:
    """An artifact of a network whose codes do not blend, with two styles."""
    spec = module_file("nearest", NEAREST.replace("REASON", f'"{REASON}"'))
    cli("onnx", spec, "--size", "40", "-o", "nearest").fine()
    for number, name in enumerate(("a", "b")):
        picture(Path(f"{name}.png"), (40 + number, 30))
    cli("styles", "pack", "nearest", "a.png", "b.png").fine()
    return Path("nearest")


def test_codes_that_do_not_blend_are_refused_with_the_reason(cli, nearest):
    refusal = f"style codes of build cannot be blended: {REASON}; use one style"
    both = ("a", "b", "--name", "mix")
    cli("styles", "blend", nearest, *both).refused(2, refusal)
    assert not (nearest / "styles/mix.safetensors").exists()
    paint = ("stylize", nearest, "a.png", "-o", "out.png")
    cli(*paint, "--style-code", "a", "--style-code", "b").refused(2, refusal)
    cli(*paint, "a.png", "b.png", "--style-weight", "1", "--style-weight", "2").refused(2, refusal)
    nothing_at(Path("out.png"))
    # One style of any strength, or of the only weight above 0, is no blend of codes.
    cli(*paint, "--style-code", "a", "--alpha", "0.5").fine()
    one = ("--style-code", "a", "--style-code", "b", "--style-weight", "0", "--style-weight", "1")
    cli(*paint, *one).fine()


def test_the_parts_of_a_code_are_listed(cli, nearest):
    said = cli("inspect", nearest).out
    assert f"12 values: bank [4, 3]; codes cannot be blended: {REASON}" in said
    assert f"codes cannot be blended: {REASON}" in cli("styles", "list", nearest).out
    known = {fact["name"]: fact for fact in json.loads(cli("networks", "--json").out)}
    layout = known["adain-cd16x"]["code_layout"]
    assert [part["name"] for part in layout["parts"]] == ["mean", "deviation"]
    assert known["fast-style"]["code_layout"] is None


def test_a_declaration_that_does_not_fit_is_refused(cli):
    longer = NEAREST.replace("REASON", '"so"').replace('"shape": [4, 3]', '"shape": [5, 3]')
    cli("onnx", module_file("longer", longer), "--size", "40", "-o", "a").refused(
        2, "code_layout of Nearest declares 15 values (bank [5, 3];", "encode returns 12"
    )
    without = NEAREST.replace("REASON", '""')
    cli("onnx", module_file("without", without), "--size", "40", "-o", "a").refused(
        2, "blending none needs a reason; expected code_layout = {"
    )
    nothing_at(Path("a"))


def test_a_blend_is_the_weighted_mean_and_a_style_like_others(cli, artifact):
    declare(artifact, MEANS)
    weights = ("--style-weight", "3", "--style-weight", "1")
    cli("styles", "blend", artifact, "dusk", "sea", *weights, "--name", "mix").fine()
    held = load_file(artifact / "styles/mix.safetensors")
    packed = load_file(artifact / read_manifest(artifact).styles[0].path)
    np.testing.assert_allclose(held["mix"], 0.75 * packed["dusk"] + 0.25 * packed["sea"], 1e-6)
    picture(Path("a.png"))
    cli("stylize", artifact, "a.png", "--style-code", "mix", "-o", "out.png").fine()
    # An earlier blend of the name is replaced; a style of the name is kept.
    cli("styles", "blend", artifact, "dusk", "sea", "--name", "mix").fine()
    taken = cli("styles", "blend", artifact, "dusk", "mix", "--name", "sea")
    taken.refused(2, "'sea' is taken by styles/", "(dusk, sea)", "another --name")
    alone = cli("styles", "blend", artifact, "dusk", "--name", "two")
    alone.refused(2, "a blend takes two or more styles, got dusk")
    few = cli("styles", "blend", artifact, "dusk", "sea", "--style-weight", "1", "--name", "two")
    few.refused(2, "2 styles but 1 weights")


def test_an_approximate_blend_is_called_one_and_an_old_artifact_blends_as_before(cli, artifact):
    assert read_manifest(artifact).network.code_layout is None
    both = ("styles", "blend", artifact, "dusk", "sea", "--name", "mix")
    cli(*both).fine()
    declare(artifact, {**MEANS, "blending": "approximate", "reason": "nobody declared it"})
    assert cli(*both).talk == ["the blend is approximate: nobody declared it"]
    picture(Path("a.png"))
    paint = ("stylize", artifact, "a.png", "-o", "out.png", "--style-code", "dusk")
    cli(*paint).fine()
    painted = cli(*paint, "--style-code", "sea")
    assert (painted.code, painted.talk) == (0, ["the blend is approximate: nobody declared it"])


@pytest.mark.parametrize("listed", [False, True])
def test_a_pack_of_another_network_is_refused_with_both_names(cli, artifact, listed):
    other = Path(shutil.copytree(artifact, "other"))
    edit_manifest(other, lambda m: m["network"].update(name="colour-swap", source_sha256="1" * 64))
    both = ("dusk", "sea", "--name", "mix")
    cli("styles", "blend", other, *both).fine()
    cli("styles", "blend", artifact, *both).fine()
    pack = artifact / "styles/mix.safetensors"
    shutil.copy(other / "styles/mix.safetensors", pack)
    if listed:
        digest = sha256_of_file(pack)
        edit_manifest(artifact, lambda m: m["styles"][-1].update(sha256=digest))
    picture(Path("a.png"))
    refused = cli("stylize", artifact, "a.png", "--style-code", "mix")
    refused.refused(
        2,
        "mix.safetensors holds codes of colour-swap (weights 111111111111), and the artifact is of "
        "colour-transfer (weights ",
    )


def test_a_pack_of_other_levels_of_the_same_weights_is_refused(cli, artifact):
    """Codes of relu5_1 and of relu4_1 of one folder of files have one length."""
    both = ("dusk", "sea", "--name", "mix")
    other = Path(shutil.copytree(artifact, "other"))
    for folder, level in ((artifact, "relu4_1"), (other, "relu5_1")):
        parts = [{"name": f"{level}.{part['name']}", "shape": [3]} for part in MEANS["parts"]]
        declare(folder, {**MEANS, "parts": parts})
        cli("styles", "blend", folder, *both).fine()
    pack = artifact / "styles/mix.safetensors"
    shutil.copy(other / "styles/mix.safetensors", pack)
    digest = sha256_of_file(pack)
    edit_manifest(artifact, lambda m: m["styles"][-1].update(sha256=digest))
    picture(Path("a.png"))
    refused = cli("stylize", artifact, "a.png", "--style-code", "mix")
    refused.refused(2, ") with relu5_1.mean [3], relu5_1.deviation [3], and the artifact is of ")


def test_a_manifest_whose_parts_do_not_fit_its_files_is_refused(cli, artifact):
    declare(artifact, {"parts": [{"name": "mean", "shape": [5]}], "blending": "exact"})
    cli("inspect", artifact).refused(
        2, "a style code of colour-transfer has 5 values (mean [5]; codes blend exactly), and one"
    )


# A code is the mean colour twice; a painting is the mean of its texture's and its colour's.
HALVES = """
    class Halves(nn.Module):
        pixels = "0..1"
        code_layout = {"parts": [PARTS], "blending": "exact"}

        def encode(self, style):
            return style.mean((2, 3)).repeat(1, 2)

        def transfer(self, content, code, strength):
            mean = (code[:, :3] + code[:, 3:]) / 2
            return content + strength * (mean[:, :, None, None] - content)

    def build():
        return Halves()
"""
PARTS = ", ".join(f'{{"name": "{name}.mean", "shape": [3]}}' for name in ("colour", "texture"))


def test_texture_of_one_style_and_colour_of_another(cli):
    spec = module_file("halves", HALVES.replace("PARTS", PARTS))
    cli("onnx", spec, "--size", "40", "-o", "halves").fine()
    picture(Path("photo.png"))
    for name, value in (("a", 40), ("b", 200)):
        write_image(Image.new("RGB", (48, 48), (value,) * 3), Path(f"{name}.png"))
    cli("styles", "pack", "halves", "b.png").fine()
    for colour, expected in (("b.png", 120.0), ("b", 120.0), ("a.png", 40.0)):
        pair = ("--texture", "a.png", "--color", colour)
        cli("stylize", "halves", "photo.png", *pair, "-o", "out.png").fine()
        assert np.abs(np.asarray(read_image(Path("out.png"))) - expected).max() <= 1


def test_texture_and_colour_that_do_not_fit_say_why(cli, nearest):
    paint = ("stylize", nearest, "a.png", "-o", "out.png", "--texture", "a")
    cli(*paint).refused(2, "--texture and --color are the style of the call: type both")
    pair = (*paint, "--color", "b")
    cli(*pair, "--style-code", "a").refused(2, "leave out STYLE, --style-code and --style-weight")
    cli(*pair).refused(2, "style codes of build have no parts for texture and colour: leave out")
    cli(*paint, "--color", "c.png").refused(2, "c.png does not exist")
    nothing_at(Path("out.png"))
