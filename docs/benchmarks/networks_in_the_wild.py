"""Table of networks as people build them: what each target and precision keeps of each.

Run: python docs/benchmarks/networks_in_the_wild.py [NETWORK ...] [--target TARGET ...]

Exports the networks of tests/networks_in_the_wild as `styleexport export MODULE:build` does, within
the default budget. What is not named keeps its figures of networks_in_the_wild.json, from which the
page is written. MicroAST has its published weights, its four files joined into one (`joined`), by
--checkpoint.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from styleexport.core.errors import StyleExportError
from styleexport.core.manifest import FileFact
from styleexport.core.types import Precision, Size
from styleexport.exporter.pipeline import ExportRequest, export
from styleexport.models.network import LoadedNetwork
from styleexport.models.networks._open import open_network

PACKAGE = "tests.networks_in_the_wild"
HERE = Path(__file__).parent
FOLDER = HERE.parent.parent / "tests" / "networks_in_the_wild"
TARGETS = {"onnx": "ONNX", "tflite": "TFLite", "coreml": "Core ML"}
PRECISIONS = (Precision.FP32, Precision.FP16, Precision.INT8)
INTRODUCTION = """<!-- not run: measures for minutes to hours -->

# Networks as people build them

Written by `python docs/benchmarks/networks_in_the_wild.py`. Each network is a re-implementation
after its paper, thin, with seeded random weights that keep every layer's values in a trained
network's range ([code](../../tests/networks_in_the_wild)). {size}x{size} pixels, one factory each:

```bash
styleexport export {package}.cyclegan:build --target onnx --target tflite --size {size}
```

fp32 and fp16: lowest PSNR against the float network on the probes, over the network's roles. int8:
PSNR and change of style on the quality pictures, within the default budget, and the share of
multiplications done in integers, for the role that paints. Core ML packages are run by the
project's interpreter, not by Core ML. A dash was not measured. What is refused in int8 can be had
in fp16, or by `--precision auto` in ONNX: mobile keeps 39.0 dB with 10 % of its multiplications in
integers, msgnet 38.4 dB with 33 %, MicroAST 35.0 dB with 48 % (`--budget 'psnr>=35, style<=+5%'`).

MicroAST has its published weights. Its strength blends pictures: blended by features, as
published, those weights paint one colour at any strength below one. mobile's batch norms hold the
statistics of the package's photographs: with those of drawn pictures, as before, what its gates
read of a photograph was four to ten times too large, and int8 kept 26.4 dB.

The initialization and some widths were chosen with int8 results in sight (mean-free kernels, a
smaller spread of the output): without that, cyclegan lost 8 dB more. Read the int8 columns as what
the exporter does with well-conditioned weights.
"""


class Cell(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Result of one network in one target and precision.

    Attributes:
        parity_db: lowest PSNR of a role's file on the probes.
        operations: operations of the file that paints.
        psnr_db: PSNR of the int8 file that paints, on the quality pictures.
        style_change: its change of style, as a share.
        int8_mac_share: share of its multiplications in integers.
        refused: message, where there is no file.
    """

    parity_db: float = 0.0
    operations: int = 0
    psnr_db: float | None = None
    style_change: float | None = None
    int8_mac_share: float = 0.0
    refused: str = ""

    @classmethod
    def of(cls, facts: Sequence[FileFact]) -> Cell:
        """Return the cell of the files of all roles, the one that paints last."""
        painter = facts[-1]
        quality = painter.quality
        return cls(
            parity_db=round(min(fact.worst.measured_db for fact in facts), 1),
            operations=sum(painter.ops.values()),
            psnr_db=quality and round(quality.psnr_db, 1),
            style_change=None
            if quality is None or quality.style_change is None
            else round(quality.style_change, 3),
            int8_mac_share=painter.int8_mac_share,
        )

    def __str__(self) -> str:
        if self.refused:
            return "refused"
        if self.psnr_db is None:
            return f"{self.parity_db:.0f} dB"
        style = "" if self.style_change is None else f"{self.style_change:+.1%}, "
        return f"{self.psnr_db:.1f} dB, {style}{self.int8_mac_share:.0%}"


Table = dict[str, dict[str, dict[str, Cell]]]


def names() -> list[str]:
    """Return the networks, by file."""
    stems = (path.stem for path in FOLDER.glob("*.py"))
    return sorted(stem for stem in stems if not stem.startswith(("_", "test_")))


def cells(
    network: LoadedNetwork, target: str, precisions: Sequence[Precision], size: int
) -> Iterator[tuple[str, Cell]]:
    """Yield precision and cell; all in one export, or one by one where one is refused."""
    try:
        yield from _exported(network, target, precisions, size).items()
    except StyleExportError as error:
        if len(precisions) == 1:
            yield precisions[0], Cell(refused=_message(error))
            return
        for precision in precisions:
            try:
                yield from _exported(network, target, (precision,), size).items()
            except StyleExportError as error:
                yield precision, Cell(refused=_message(error))


def _exported(
    network: LoadedNetwork, target: str, precisions: Sequence[Precision], size: int
) -> dict[str, Cell]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "artifact"
        sizes = (Size(size, size),)
        manifest = export(
            ExportRequest(network, out, (target,), tuple(precisions), sizes=sizes)
        ).manifest
    return {
        precision: Cell.of([fact for fact in manifest.files if fact.precision is precision])
        for precision in precisions
    }


def _message(error: Exception) -> str:
    """Return a message without the folders of this machine."""
    return re.sub(r"\S*/(?=[\w.-]+)", "", str(error).splitlines()[0])


def page(table: Table, size: int) -> str:
    """Return the page of a table."""
    labels = [f"{label} {precision}" for label in TARGETS.values() for precision in PRECISIONS]
    lines = [INTRODUCTION.format(size=size, package=PACKAGE)]
    lines += [f"| network | parameters | {' | '.join(labels)} |", "|---" * (2 + len(labels)) + "|"]
    refusals, described = list[str](), list[str]()
    for name in names():
        module = importlib.import_module(f"{PACKAGE}.{name}")
        title, _, rest = (module.__doc__ or "").partition("\n\n")
        hard = " ".join(rest.split("Hard:")[-1].split())
        described.append(f"- **{name}**: {' '.join(title.split())} Hard: {hard}")
        row = [
            table.get(name, {}).get(target, {}).get(precision)
            for target in TARGETS
            for precision in PRECISIONS
        ]
        count = sum(value.numel() for value in module.build().state_dict().values())
        shown = " | ".join("–" if cell is None else str(cell) for cell in row)
        lines.append(f"| {name} | {count:,} | {shown} |")
        refusals += [
            f"- {name}, {label}: {cell.refused}"
            for label, cell in zip(labels, row, strict=True)
            if cell is not None and cell.refused
        ]
    operations = ["", "Operations of the file that paints, fp32:", ""]
    operations += [f"| network | {' | '.join(TARGETS.values())} |", "|---" * 4 + "|"]
    for name in names():
        counts = (table.get(name, {}).get(target, {}).get(PRECISIONS[0]) for target in TARGETS)
        shown = " | ".join(str(cell.operations) if cell else "–" for cell in counts)
        operations.append(f"| {name} | {shown} |")
    lines += operations
    lines += ["", "## What is refused", "", *(refusals or ["Nothing."])]
    lines += ["", "## What makes them hard", "", *described]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Measure what is named, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    parser.add_argument("--target", action="append", choices=list(TARGETS))
    parser.add_argument("--precision", action="append", choices=list(map(str, PRECISIONS)))
    parser.add_argument("--checkpoint", type=Path, help="Weights of the one network that is named.")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--page-only", action="store_true", help="Write the page alone.")
    asked = parser.parse_args(arguments)
    file = HERE / "networks_in_the_wild.json"
    for name in [] if asked.page_only else asked.networks or names():
        checkpoints = [asked.checkpoint] if asked.checkpoint else []
        network = open_network(f"{PACKAGE}.{name}:build", checkpoints)
        for target in asked.target or TARGETS:
            precisions = [Precision(text) for text in asked.precision or PRECISIONS]
            measured = cells(network, target, precisions, asked.size)
            results = {str(precision): cell for precision, cell in measured}
            table = _read(file)  # another run may have written meanwhile
            table.setdefault(name, {}).setdefault(target, {}).update(results)
            file.write_bytes(msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n")
            printed = {key: cell.refused or str(cell) for key, cell in results.items()}
            print(name, target, printed, file=sys.stderr, flush=True)
    (HERE / "networks_in_the_wild.md").write_text(page(_read(file), asked.size))


def _read(file: Path) -> Table:
    return msgspec.json.decode(file.read_bytes(), type=Table) if file.exists() else {}


if __name__ == "__main__":
    main(sys.argv[1:])
