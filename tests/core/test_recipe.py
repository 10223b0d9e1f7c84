"""Int8 recipes as files."""

from __future__ import annotations

import json

import msgspec
import pytest

from styleexport.core.errors import UsageError
from styleexport.core.manifest import CalibrationFact, SizeFact
from styleexport.core.recipe import (
    FloatLayer,
    Int8Recipe,
    Range,
    Settings,
    Trial,
    read_recipe,
    write_recipe,
)
from styleexport.core.types import Role

RECIPE = Int8Recipe(
    role=Role.TRANSFORM,
    size=SizeFact(height=64, width=96),
    settings=Settings(ranges="mse", equalize=0.75, bias_correction=True, rounding="reconstructed"),
    float_layers=(
        FloatLayer(layer="conv2d_3", reason="it costs 2 dB", weight="decoder.image.weight"),
    ),
    ranges={"inputs_0": Range(0.0, 1.0), "relu": Range(0.0, 3.5)},
    calibration=CalibrationFact(method="mse", images=14, styles=2, sha256="a" * 64),
    trials=(
        Trial(
            settings=Settings(),
            float_layers=("conv2d_3",),
            forced_int8=(),
            psnr_db=36.5,
            style_change=0.01,
            time_share=0.4,
            inside=True,
            on_front=True,
        ),
    ),
)


def test_a_recipe_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "recipes" / "a.json"
    write_recipe(RECIPE, path)
    assert read_recipe(path) == RECIPE
    assert path.read_bytes().endswith(b"}\n")
    assert json.loads(path.read_bytes())["ranges"]["relu"] == [0.0, 3.5]
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (Settings(), "w8c-a8-min-max"),
        (Settings(weights="per-tensor", ranges="mse"), "w8t-a8-mse"),
        (RECIPE.settings, "w8c-a8-mse-eq75-bias-recon"),
    ],
)
def test_settings_have_a_name_that_decodes(settings, name):
    assert settings.name == name


def edited(**changes) -> bytes:
    values = json.loads(RECIPE.encoded())
    for path, value in changes.items():
        *parents, last = path.split("__")
        inner = values
        for name in parents:
            inner = inner[name]
        inner[last] = value
    return json.dumps(values).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a recipe: Input data was truncated"),
        (b"[]", "is not a recipe: Expected `object`, got `array`"),
        (b"{}", "is not a recipe: Object missing required field `role`"),
        (b"\xff\xfe\x00", "is not a recipe: "),
        (edited(schema_version=2), "Invalid enum value 2"),
        (edited(role="paint"), "Invalid enum value 'paint'"),
        (edited(settings__equalize=1.5), "Expected `float` <= 1"),
        (edited(settings__ranges="guess"), "Invalid enum value 'guess'"),
        (edited(settings__bits=4), "contains unknown field `bits`"),
        (edited(ranges={"relu": [0.0]}), "Expected `array` of at least length 2, got 1"),
        (edited(ranges={"relu": [0.0, "x"]}), "Expected `float`, got `str`"),
    ],
)
def test_what_is_no_recipe_is_refused_in_a_line(tmp_path, content, said):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_recipe(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path} is not a recipe")
    assert str(caught.value).endswith("recipes lie in an artifact's recipes/")


def test_a_recipe_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"a\.json does not exist.*recipes/"):
        read_recipe(tmp_path / "a.json")
    with pytest.raises(UsageError, match="is a folder, expected a regular file"):
        read_recipe(tmp_path)


def test_a_range_holds_two_numbers():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"[0, 1, 2, 3, null]", type=list[Range])
