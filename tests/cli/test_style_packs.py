"""Style packs that are no packs, with the sha256 that the manifest states: refused in one line."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from tests.cli.conftest import edit_manifest, nothing_at, picture

CONTRACT = Path(__file__).resolve().parents[1] / "contract/artifacts/colour-transfer"
ENCODER = "colour-transfer_encode_8x12_fp32.onnx"


def code(length: int, value: float = 0.5) -> np.ndarray:
    return np.full((1, length), value, np.float32)


LENGTH = 6
PACKS = {
    "garbage": (b"\x00\x01garbage", "cannot be read"),
    "empty": (b"", "cannot be read"),
    "long header": (b"\xff" * 8 + b"{}", "cannot be read"),
    "deep header": ((1 << 16).to_bytes(8, "little") + b"[" * (1 << 16), "cannot be read"),
    "other names": (save({"other": code(LENGTH)}), "not the 1 that the manifest names"),
    "another length": (save({"mine": code(LENGTH + 1)}), "expected finite float32 [1, "),
    "one axis": (save({"mine": np.zeros(LENGTH, np.float32)}), "expected finite float32 [1, "),
    "float64": (save({"mine": code(LENGTH).astype(np.float64)}), "as float64"),
    "NaN": (save({"mine": code(LENGTH, np.nan)}), "expected finite float32"),
}


@pytest.mark.parametrize("kind", PACKS)
def test_what_is_no_pack(cli, tmp_path, kind):
    content, part = PACKS[kind]
    artifact = Path(shutil.copytree(CONTRACT, tmp_path / "artifact"))
    (artifact / "styles").mkdir(exist_ok=True)
    (artifact / "styles/mine.safetensors").write_bytes(content)
    fact = {
        "path": "styles/mine.safetensors",
        "names": ["mine"],
        "encoder": ENCODER,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    edit_manifest(artifact, lambda m: m.update(styles=[fact]))
    again = f"styleexport styles pack {artifact}"
    cli("verify", artifact).refused(2, "style pack", "mine.safetensors", part, again)
    picture(tmp_path / "c.png", (12, 8))
    call = ("stylize", artifact, "c.png", "--style-code", "mine", "-o", "out.png")
    cli(*call).refused(2, "style pack", part, again)
    nothing_at(tmp_path / "out.png")
    cli("inspect", artifact).fine()
