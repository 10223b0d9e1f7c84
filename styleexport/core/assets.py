"""Pictures and lists that ship with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

DEMO_CONTENT = "content_lake.jpg"
DEMO_STYLE = "style_swirl.jpg"
DEFAULT_NETWORK = "adain-residual"


def folder() -> Path:
    """Return the folder of the shipped pictures."""
    return Path(str(resources.files("styleexport.assets")))


def bundled(kind: str) -> list[Path]:
    """Return the shipped ``content`` photographs or ``style`` paintings, sorted."""
    return sorted(folder().glob(f"{kind}_*.jpg"))
