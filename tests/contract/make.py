"""Write the contract's fixtures from the Python reference: ``python -m tests.contract.make``.

Written by hand, or by an export, and only read here: the reports, `artifacts/`, and the manifests
of `SOURCES`. All else is derived from them, and running this again changes nothing.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import struct
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import load_file, save

from styleexport.core.errors import BadArtifact
from styleexport.core.manifest import Manifest, ProbeFact, SizeFact, read_manifest
from styleexport.core.types import Role
from styleexport.runtime_bench.contract.job import PlanFact, job_cells, job_from_json, new_job
from styleexport.runtime_bench.contract.latency import report_from_json
from styleexport.runtime_bench.parity import read_probe
from tests.contract.arithmetic import ARTIFACT, arithmetic
from tests.contract.film import film
from tests.contract.optimization import DIVERGENCE, HISTORY, LEARNING_RATE, PATIENCE, optimization
from tests.contract.tiled_network import PROBES as TILED_PROBES
from tests.contract.tiled_network import tiled
from tests.contract.tiles import tile_cases

HERE = Path(__file__).parent
SOURCES = ("adain-lite.json", "one-filter.json")
NONCE = "Zm9yLXRoZS1jb250cmFjdA"
Change = Callable[[Any], object]
# dtype, shape and offsets of a tensor, as a safetensors header has them.
Header = dict[str, tuple[str, list[int], list[int]]]


def main() -> None:
    """Write all that is derived."""
    _write_manifests()
    _write_jobs()
    _write_probes()
    _write_json(HERE / "arithmetic.json", arithmetic())
    _write_json(HERE / "optimization.json", optimization())
    _write_json(HERE / "tiles.json", tile_cases())
    _write_json(HERE / "film.json", film())
    for name, read in (("reports", _read_report), ("jobs", _read_job)):
        _write_index(HERE / name, read, lambda _: {})
    _write_index(HERE / "manifests", _read_manifest, _told)
    _write_json(
        HERE / "index.json",
        [
            {"file": path.relative_to(HERE).as_posix(), "sha256": _sha256(path)}
            for path in fixtures()
        ],
    )


def fixtures() -> list[Path]:
    """Return every fixture: all files but this folder's index, text for people, and Python."""
    return sorted(
        path
        for path in HERE.rglob("*")
        if path.is_file()
        and path != HERE / "index.json"
        and path.suffix not in (".py", ".pyc", ".md")
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_json(path: Path, value: object, indent: int = 1) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n", encoding="utf-8")


# ---- bad ones: a good one with one thing changed


def _set(*keys: str | int, value: object) -> Change:
    def change(whole: Any) -> object:
        inner = whole
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        return whole

    return change


def _drop(*keys: str | int) -> Change:
    def change(whole: Any) -> object:
        inner = whole
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        return whole

    return change


def _thumbnail(path: str) -> Change:
    """Add a pack of one style whose thumbnail has a path."""
    digest = "0" * 64
    pack = {"path": "styles/a.safetensors", "names": ["a"], "encoder": "a.onnx", "sha256": digest}
    thumbnail = {"style": "a", "path": path, "sha256": digest}
    return _set("styles", value=[{**pack, "thumbnails": [thumbnail]}])


def _layout(blending: str, reason: str = "", **shapes: list[int]) -> Change:
    """Add the layout of a style code whose parts have shapes."""
    parts = [{"name": name, "shape": shape} for name, shape in shapes.items()]
    return _set(
        "network", "code_layout", value={"parts": parts, "blending": blending, "reason": reason}
    )


def _optimization(**changed: object) -> Change:
    """Add how step files are iterated, with fields changed."""
    good = {"algorithm": "lbfgs", "history": 10, "learning_rate": 1.0, "first_change": 1 / 255}
    good |= {"iterations": 100, "divergence": 100.0, "patience": 3}
    return _set("network", "optimization", value={**good, **changed})


SWAPPED = "each patch takes the nearest patch of one style"
# The contract's artifact, as versions write its manifest that know layouts of style codes.
LAYOUTS: dict[str, Change] = {
    "code_parts": _layout("exact", mean=[3], deviation=[3]),
    "code_approximate": _layout("approximate", "nobody declared it", code=[6]),
    "code_unblendable": _layout("none", SWAPPED, bank=[2, 1, 2], inverse_norms=[2]),
}


def _optimization_probes() -> dict[str, bytes]:
    """Return probes of `content` and `step`: distances from the content and a style's colours.

    The loss is the sum over pixel values x, number i, of (1 + i mod 7)·((x - target)² +
    strength·(x - colour)²), in float32.
    """
    size = (1, 3, 8, 12)
    index = np.arange(np.prod(size))
    content = (index % 11 / 10).astype(np.float32).reshape(size)
    image = (index % 5 / 4).astype(np.float32).reshape(size)
    target = content.reshape(1, -1)
    code = np.array([[0.25, 0.5, 0.75, 0, 0, 0]], np.float32)
    weights = (1 + index % 7).astype(np.float32)
    own, style = image.ravel() - target[0], image.ravel() - np.repeat(code[0, :3], index.size // 3)
    strength = np.float32(0.5)
    step = {
        "image": image,
        "content_target": target,
        "style_code": code,
        "strength": strength.reshape(1),
        "loss": (weights * (own**2 + strength * style**2)).sum().reshape(1),
        "gradient": (2 * weights * (own + strength * style)).reshape(size),
    }
    return {
        "colour-transfer_content_8x12.safetensors": save(
            {"content": content, "content_target": target}
        ),
        "colour-transfer_step_8x12.safetensors": save(step),
    }


OPTIMIZATION_PROBES = _optimization_probes()


def _optimized(whole: Any) -> object:
    """Turn `encode` and `transform` files into those of a network that paints by optimization."""
    content = _role_changed(_with_role(whole, "encode"), "content")
    step = _role_changed(_with_role(whole, "transform"), "step")
    for file in content["files"]:
        file["inputs"][0]["name"] = "content"
        file["outputs"][0] |= {"name": "content_target", "kind": "content_target"}
    for file in step["files"]:
        image, code, strength = file["inputs"]
        if image["layout"] == "pixels":
            image |= {"layout": "NCHW", "dtype": "float32", "pixel_range": [0.0, 1.0]}
        image["name"] = "image"
        target = {**code, "name": "content_target", "kind": "content_target"}
        file["inputs"] = [image, target, code, strength]
        none = {"pixel_range": None, "colour_order": None}
        loss = {**strength, "name": "loss", "kind": "loss"}
        file["outputs"] = [loss, {**image, **none, "name": "gradient", "kind": "gradient"}]
    encode = _with_role(whole, "encode")
    for part in ("files", "probes"):
        whole[part] = [*encode[part], *content[part], *step[part]]
    whole["network"]["roles"] = ["encode", "content", "step"]
    whole["network"]["optimization"] = {
        "algorithm": "lbfgs",
        "history": HISTORY,
        "learning_rate": LEARNING_RATE,
        "first_change": 1 / 255,
        "iterations": 100,
        "divergence": DIVERGENCE,
        "patience": PATIENCE,
    }
    whole["programs"] = []
    for probe in whole["probes"]:
        if (raw := OPTIMIZATION_PROBES.get(Path(probe["path"]).name)) is not None:
            probe["sha256"] = hashlib.sha256(raw).hexdigest()
    return whole


def _int8_variants(whole: Any) -> object:
    """Return int8 files of any size, with 16-bit activations, and with 4-bit weights."""
    any_size, wide, _, narrow = whole["files"]
    size = {"height": 201, "width": 263}
    kept = ("psnr_db", "all_psnr_db", "worst_psnr_db", "ssim", "style_change")
    any_size["quality"]["sizes"] = [
        {"size": size, **{key: any_size["quality"][key] for key in kept}}
    ]
    any_size["quantization"]["calibration"]["sizes"] = [{"height": 256, "width": 256}]
    wide["precision"], wide["quantization"]["activation_dtype"] = "int8-a16", "uint16"
    narrow["precision"], narrow["quantization"]["weight_dtype"] = "palette4-int8", "uint4"
    narrow["quantization"]["activation_dtype"] = "int16"
    return whole


def _tiling_changed(*keys: str | int, value: object) -> Change:
    """Add the passes of the small network, with one fact of the first tiling changed."""
    return lambda whole: _set("tilings", 0, *keys, value=value)(tiled(whole))


def _with_role(whole: Any, role: str) -> Any:
    """Return a copy of the files and probes of a role."""
    return {
        part: [copy.deepcopy(fact) for fact in whole[part] if fact["role"] == role]
        for part in ("files", "probes")
    }


def _role_changed(part: Any, role: str) -> Any:
    for fact in (*part["files"], *part["probes"]):
        fact["path"] = fact["path"].replace(f"_{fact['role']}_", f"_{role}_")
        fact["role"] = role
    return part


BAD_LAYOUTS: dict[str, Change] = {
    "code_other_length": _layout("exact", mean=[3], deviation=[2]),
    "code_without_reason": _layout("none", bank=[6]),
    "code_empty_part": _layout("exact", mean=[6], deviation=[0]),
    "code_no_parts": _layout("exact"),
    "code_too_long": _layout("exact", mean=[6], bank=[2**29, 2**29, 2**29]),
    "code_unknown_blending": _layout("often", mean=[6]),
    "code_bad_name": _layout("exact", **{"a mean": [6]}),
    "code_parts_of_one_name": _set(
        "network",
        "code_layout",
        value={"parts": [{"name": "mean", "shape": [3]}] * 2, "blending": "exact"},
    ),
}
BAD_TILINGS: dict[str, Change] = {
    "tiling_no_passes": _tiling_changed("passes", value=[]),
    "tiling_no_grid": _tiling_changed("grid", value=0),
    "tiling_negative_margin": _tiling_changed("passes", 0, "left", value=-4),
    "tiling_unknown_kind": _tiling_changed("statistics", 0, "kind", value="sum"),
    "tiling_correction_two": _tiling_changed("statistics", 0, "correction", value=2),
    "tiling_no_stride": _tiling_changed("maps", 1, "stride", value=0),
}
BAD_MANIFESTS: dict[str, Change] = {
    "other_version": _set("schema_version", value=3),
    "no_version": _drop("schema_version"),
    "not_an_object": lambda whole: [whole],
    "no_network": _drop("network"),
    "no_sha256": _drop("files", 0, "sha256"),
    "unknown_field": _set("files", 0, "speed", value=1),
    "no_files": _set("files", value=[]),
    "path_outside": _set("files", 0, "path", value="../one-filter.onnx"),
    "path_absolute": _set("files", 0, "path", value="/one-filter.onnx"),
    "bad_sha256": _set("files", 0, "sha256", value="ABCDEF"),
    "unknown_role": _set("files", 0, "role", value="paint"),
    "unknown_precision": _set("files", 0, "precision", value="int3"),
    "unknown_layout": _set("files", 0, "inputs", 0, "layout", value="CHWN"),
    "unknown_dtype": _set("files", 0, "outputs", 0, "dtype", value="float64"),
    "no_height": _set("files", 0, "size", "height", value=0),
    "text_for_number": _set("files", 0, "parameters", value="84"),
    "float_for_int": _set("files", 0, "macs", value=1.5),
    "null_for_text": _set("network", "name", value=None),
    "no_parity": _set("files", 0, "parity", value=[]),
    "no_inputs": _set("files", 0, "inputs", value=[]),
    "unknown_algorithm": _optimization(algorithm="adam"),
    "no_history": _optimization(history=0),
    "thumbnail_absolute": _thumbnail("/a.jpg"),
    "thumbnail_outside": _thumbnail("../thumbnails/a.jpg"),
}
BAD_JOBS: dict[str, Change] = {
    "other_version": _set("schema_version", value=2),
    "not_an_object": lambda whole: [whole],
    "no_cells": _set("cells", value=[]),
    "no_probe": _drop("cells", 0, "probe"),
    "probe_outside": _set("cells", 0, "probe", value="../probe.safetensors"),
    "file_outside": _set("cells", 1, "subject", "path", value="/a/b.onnx"),
    "unknown_layout": _set("cells", 0, "inputs", 0, "layout", value="CHWN"),
    "bad_nonce": _set("nonce", value="../jobs/x"),
    "short_nonce": _set("nonce", value="abc"),
    "no_plan": _drop("plan"),
    "no_rounds": _set("plan", "rounds", value=0),
}


def _write_bad(folder: Path, good: bytes, bad: dict[str, Change]) -> None:
    folder.mkdir(exist_ok=True)
    for name, change in bad.items():
        _write_json(folder / f"{name}.json", change(copy.deepcopy(json.loads(good))))
    (folder / "cut_off.json").write_bytes(good[: len(good) // 2])


def _write_manifests() -> None:
    folder = HERE / "manifests"
    raw = (ARTIFACT / "manifest.json").read_bytes()
    (folder / "colour-transfer.json").write_bytes(raw)
    # As versions wrote it that knew no thumbnails.
    _write_json(folder / "no_thumbnails.json", _drop("styles", 0, "thumbnails")(json.loads(raw)))
    _write_json(folder / "optimization.json", _optimized(json.loads(raw)))
    _write_json(folder / "tiling.json", tiled(json.loads(raw)))
    for name, change in (LAYOUTS | BAD_LAYOUTS | BAD_TILINGS).items():
        _write_json(folder / f"{name}.json", change(json.loads(raw)))
    lite = json.loads((folder / "adain-lite.json").read_bytes())
    _write_json(folder / "int8_variants.json", _int8_variants(lite))
    whole = msgspec.json.decode((folder / "one-filter.json").read_bytes(), type=Manifest)
    least = msgspec.structs.replace(whole, files=whole.files[:1], programs=(), probes=())
    _write_bad(folder, least.encoded(), BAD_MANIFESTS)


def _write_jobs() -> None:
    manifest = read_manifest(ARTIFACT)
    asked = [
        msgspec.structs.replace(wish, runner="android", requested=requested)
        for wish, requested in zip(
            job_cells(manifest, (".onnx", ".tflite")),
            ({}, {"delegate": "gpu"}, {"delegate": "cpu"}, {"delegate": "nnapi"}),
            strict=True,
        )
    ]
    job = new_job(
        tuple(asked), PlanFact(rounds=3, seconds=0.01, seed=7), NONCE, "styleexport bench"
    )
    job = msgspec.structs.replace(job, version="0.1.0", commit=None)
    raw = msgspec.json.format(msgspec.json.encode(job), indent=1) + b"\n"
    (HERE / "jobs").mkdir(exist_ok=True)
    (HERE / "jobs" / "job.json").write_bytes(raw)
    _write_bad(HERE / "jobs", raw, BAD_JOBS)


# ---- probes


def _write_probes() -> None:
    """Write probes; for the bad ones ``where`` is the tensor at fault, ``$`` the whole file."""
    folder = HERE / "probes"
    folder.mkdir(exist_ok=True)
    good = {path.name: path.read_bytes() for path in sorted((ARTIFACT / "probes").iterdir())}
    good |= OPTIMIZATION_PROBES | TILED_PROBES
    good["odd_offsets.safetensors"] = _tensors({"b": ("F32", [1], [0, 4])}, b"\0\0\x80?", pad=3)
    whole = good["colour-transfer_transform_8x12.safetensors"]
    eight = bytes(range(8))
    bad = {
        "cut_off": (whole[:-40], "$"),
        "four_bytes": (whole[:4], "$"),
        "header_too_long": (struct.pack("<Q", 2**40) + whole[8:], "$"),
        "header_not_json": (struct.pack("<Q", 8) + b"{'a': 1}" + eight, "$"),
        "wrong_dtype": (_tensors({"a": ("F16", [4], [0, 8])}, eight), "a"),
        "wrong_length": (_tensors({"a": ("F32", [3], [0, 8])}, eight), "a"),
        "overlapping": (
            _tensors({"a": ("F32", [2], [0, 8]), "b": ("F32", [1], [4, 8])}, eight),
            "b",
        ),
    }
    index = []
    for name, raw in good.items():
        (folder / name).write_bytes(raw)
        index.append({"file": name, "valid": True, "tensors": _seen(folder / name)})
    for name, (raw, where) in bad.items():
        path = folder / f"{name}.safetensors"
        path.write_bytes(raw)
        words = _refusal(path, _read_probe)
        index.append({"file": path.name, "valid": False, "error": words[0], "where": where})
    _write_json(folder / "index.json", index)


def _tensors(facts: Header, data: bytes, pad: int = 0) -> bytes:
    header = (
        json.dumps(
            {
                name: {"dtype": dtype, "shape": shape, "data_offsets": offsets}
                for name, (dtype, shape, offsets) in facts.items()
            }
        ).encode()
        + b" " * pad
    )
    return struct.pack("<Q", len(header)) + header + data


def _seen(path: Path) -> list[dict[str, object]]:
    """Return what a file holds: names, shapes, and values at a few places of the flat tensor."""
    found = []
    for name, tensor in sorted(load_file(path).items()):
        flat = tensor.ravel()
        places = sorted({0, flat.size // 3, flat.size // 2, flat.size - 1})
        values = [{"index": place, "value": float(flat[place])} for place in places]
        found.append({"name": name, "shape": list(tensor.shape), "values": values})
    return found


# ---- what Python says of each


def _read_report(path: Path) -> object:
    return report_from_json(path.read_bytes(), str(path))


def _read_job(path: Path) -> object:
    return job_from_json(path.read_bytes(), str(path))


def _read_probe(path: Path) -> object:
    fact = ProbeFact(
        path=path.name, role=Role.ENCODE, size=SizeFact(height=8, width=12), sha256="0" * 64
    )
    return read_probe(path.parent, fact)


def _read_manifest(path: Path) -> Manifest:
    """Return a manifest of the name that artifacts give it; nothing that it names is beside it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "manifest.json").write_bytes(path.read_bytes())
        try:
            return read_manifest(Path(folder), check_files=False)
        except BadArtifact as error:
            raise BadArtifact(str(error).replace(f"{folder}/manifest.json", str(path))) from error


def _refusal(path: Path, read: Callable[[Path], object]) -> tuple[str, str]:
    """Return Python's words without the path and the advice, and the place that they name."""
    try:
        read(path)
    except BadArtifact as error:
        words = str(error).replace(f"probe {path} ", "").replace(f"{path} ", "")
    else:
        raise AssertionError(f"{path} is meant to be refused")
    place = re.search(r" at `(\$[^`]*)`", words)
    where = place[1] if place else "$"
    if "schema version" in words:
        where = "$.schema_version"
    if "outside the artifact" in words and place is None:
        where = "$.styles[0].thumbnails[0].path" if "thumbnails" in words else "$.files[0].path"
    return re.split(r"; |: measure|: export|: make| matching regex", words)[0], where


def _write_index(
    folder: Path, read: Callable[[Path], object], told: Callable[[Path], dict[str, object]]
) -> None:
    entries: list[dict[str, object]] = []
    for path in sorted(folder.glob("*.json")):
        if path.name == "index.json":
            continue
        try:
            read(path)
        except BadArtifact:
            error, where = _refusal(path, read)
            entries.append({"file": path.name, "valid": False, "error": error, "where": where})
        else:
            entries.append({"file": path.name, "valid": True, **told(path)})
    _write_json(folder / "index.json", sorted(entries, key=lambda e: (not e["valid"], e["file"])))


EXPECTED: Sequence[str] = (
    "$.schema_version",
    "$.network.min_side",
    "$.files[0].inputs[0].layout",
    "$.files[0].inputs[0].pixel_range[1]",
    "$.files[1].outputs[0].name",
    "$.files[1].precision",
    "$.files[1].parity[0].allowed_db",
    "$.files[1].size.width",
    "$.probes[0].sha256",
)


def _told(path: Path) -> dict[str, object]:
    """Return what a reader of another language must find in a manifest."""
    manifest = _read_manifest(path)
    whole = json.loads(path.read_bytes())
    return {
        "files": len(manifest.files),
        "probes": len(manifest.probes),
        "styles": [name for pack in manifest.styles for name in pack.names],
        "thumbnails": {
            fact.style: fact.path for pack in manifest.styles for fact in pack.thumbnails
        },
        "network": manifest.network.name,
        "code_layout": msgspec.to_builtins(manifest.network.code_layout),
        "expect": {place: _at(whole, place) for place in EXPECTED},
    }


def _at(whole: Any, place: str) -> object:
    for name, number in re.findall(r"\.(\w+)|\[(\d+)\]", place):
        whole = whole[name] if name else whole[int(number)]
    return whole


if __name__ == "__main__":
    main()
