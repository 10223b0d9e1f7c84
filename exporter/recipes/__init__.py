"""Presets of int8 settings, a JSON file each, and ``defaults.json``: which is taken when.

On real networks ``int8_minmax_equalized`` is the best that costs no speed (docs/decisions/0009).
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from styleexport.core.recipe import Settings
from styleexport.core.types import Precision

FOLDER = Path(__file__).parent


class Defaults(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names of presets, and budgets.

    Attributes:
        first: preset of every int8 file, and of the first trial of a search.
        over_budget: preset that an int8 file over budget is tried with.
        searched: presets that a search tries if the first is over budget.
        faster: preset that a search tries if the first is inside its budget.
        own: precision → preset of its files, in the place of the first.
        budgets: precision → quality that its files may lose.
        whitenings: the same for files that whiten features, whose rounding errors become texture.
        choices: the same for files with an arg max, which float files are held to as well.
    """

    first: str
    over_budget: str
    searched: tuple[str, ...]
    faster: str
    own: dict[Precision, str]
    budgets: dict[Precision, str]
    whitenings: dict[Precision, str]
    choices: dict[Precision, str]


def read_preset(name: str) -> Settings:
    """Return the settings of a preset."""
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=Settings)


DEFAULTS = msgspec.json.decode((FOLDER / "defaults.json").read_bytes(), type=Defaults)
FIRST, OVER_BUDGET, FASTER = map(
    read_preset, (DEFAULTS.first, DEFAULTS.over_budget, DEFAULTS.faster)
)
SEARCHED = tuple(map(read_preset, DEFAULTS.searched))
OWN = {precision: read_preset(name) for precision, name in DEFAULTS.own.items()}
