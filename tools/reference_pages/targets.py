"""Pages of the targets and the list of runners, from what their plug-ins say of themselves."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from styleexport.core import plugins
from styleexport.core.thresholds import ALLOWED_DB
from styleexport.core.types import Precision, Sizing
from styleexport.core.versions import EXTRAS, TESTED
from styleexport.exporter.targets import _target
from styleexport.exporter.targets._target import Target, find_target
from styleexport.runtime_bench import formats
from styleexport.runtime_bench.runners import _runner
from styleexport.runtime_bench.runners._runner import RemoteRunner, Runner
from tools.reference_pages.docstrings import Docstring, parse

SIZES = {
    Sizing.FIXED: "one size",
    Sizing.ENUMERATED: "a list of sizes (`--enumerated`)",
    Sizing.ANY: "any size (`--dynamic`)",
}
# Cells of the table of precisions.
YES, NO = "yes", "no"


def pages() -> dict[str, str]:
    """Return the text of each page by its path under docs/targets."""
    targets = [find_target(name) for name in plugins.names(_target.PACKAGE)]
    return {"README.md": _index(targets)} | {f"{t.name}.md": _page(t) for t in targets}


def runners_page() -> str:
    """Return the text of docs/reference/runners.md."""
    lines = ["# Runners", "", "`styleexport bench --runner NAME:SETTING=VALUE,…` takes these.", ""]
    for name, runner in _runners():
        lines += [f"## {name}", "", _docstring(_runner.PACKAGE, name).text, ""]
        reads = ", ".join(f"`{suffix}`" for suffix in runner.suffixes)
        lines += [f"- Reads: {reads}", f"- Used for: {_uses(runner)}"]
        for setting, values in runner.choices.items():
            first, *others = (f"`{value}`" for value in values)
            lines.append(f"- Setting `{setting}`: {', '.join([f'{first} (default)', *others])}")
        lines.append("")
    return "\n".join(lines)


def _runners() -> list[tuple[str, Runner | RemoteRunner]]:
    names = plugins.names(_runner.PACKAGE)
    return [(name, plugins.load(_runner.PACKAGE, name, "RUNNER")) for name in names]  # pyright: ignore[reportReturnType]


def _uses(runner: Runner | RemoteRunner) -> str:
    if isinstance(runner, RemoteRunner):
        return "times, of a device or program that measures itself" if runner.timed else "parity"
    uses = ["parity of files"] * runner.proves + ["times"] * runner.timed
    return " and ".join(uses)


def _index(targets: Sequence[Target]) -> str:
    lines = ["# Targets", ""]
    lines += [
        "A target is a file format. `styleexport export --target NAME` writes one or several from "
        "one capture; each also has a command of its own.",
        "",
    ]
    lines += [_row("target", "files", "sizes in a file", "read by"), _row(*["---"] * 4)]
    for target in targets:
        sizes = "; ".join(SIZES[sizing] for sizing in target.sizings)
        lines.append(
            _row(
                f"[{target.name}]({target.name}.md)", f"`{target.suffix}`", sizes, _readers(target)
            )
        )
    lines += ["", "## Precisions", ""]
    lines += [
        "A file below the PSNR of its precision, against the float network on the artifact's "
        "probes, is not written. int8 files also have to stay within a quality budget on pictures "
        "([decision 10](../decisions/0010-quality-budget.md)).",
        "",
    ]
    names = [target.name for target in targets]
    lines += [
        _row("`--quantize`", *names, "lowest PSNR"),
        _row("---", *["---"] * len(names), "---:"),
    ]
    for precision in (p for p in Precision if p is not Precision.AUTO):
        cells = [YES if precision in target.precisions else NO for target in targets]
        lines.append(_row(f"`{precision}`", *cells, f"{ALLOWED_DB[precision]:g} dB"))
    lines += ["", parse(Precision.__doc__).text, ""]
    return "\n".join(lines)


def _page(target: Target) -> str:
    name = target.name
    module = parse(sys.modules[type(target).__module__].__doc__)
    lines = [f"# {name}", "", module.text, "", "| | |", "| --- | --- |"]
    precisions = ", ".join(f"`{p}`" for p in target.precisions)
    lines += [
        _row("files", f"`{target.suffix}`"),
        _row("precisions", f"{precisions}; default `{target.default_precision}`"),
        _row("sizes in a file", "; ".join(SIZES[sizing] for sizing in target.sizings)),
        _row("written with", ", ".join(map(_versioned, target.tools))),
        _row("install", f"`pip install '{_install(name)}'`"),
        _row("read by", _readers(target)),
        "",
    ]
    lines += [*_commands(name), *_settings(target), *_risks(name)]
    return "\n".join(lines)


def _commands(name: str) -> list[str]:
    lines = ["```bash", f"styleexport export --target {name} -o artifact"]
    known = name in plugins.names("styleexport.cli")
    lines += [f"styleexport {name} -o artifact", "```", ""] if known else ["```", ""]
    if known:
        lines += [f"[Every option of the command](../reference/commands/{name}.md).", ""]
    return lines


def _settings(target: Target) -> list[str]:
    """Return the settings of a target, which are the fields of its dataclass."""
    if not dataclasses.is_dataclass(target) or not dataclasses.fields(target):
        return []
    texts = parse(type(target).__doc__).sections.get("Attributes", {})
    lines = ["## Settings", ""]
    kind = type(target)
    lines += [
        f"Options of the command, and from Python fields of `{kind.__module__}.{kind.__name__}`:",
        "",
    ]
    for item in dataclasses.fields(target):
        default = item.default.value if isinstance(item.default, Precision) else item.default
        lines.append(f"- `{item.name}` (default `{default}`): {texts[item.name]}")
    return [*lines, ""]


def _risks(name: str) -> list[str]:
    """Return what `inspect` looks for in a file of the format, from the docstring of its rules."""
    lines = ["## Known problems", ""]
    lines += ["`styleexport inspect FILE` lists those of a file, each with its remedy.", ""]
    rules = f"_{name}_risks"
    if not (Path(formats.__path__[0]) / f"{rules}.py").exists():
        return lines
    docstring = _docstring(formats.__name__, rules)
    return [*lines, docstring.text, ""]


def _docstring(package: str, name: str) -> Docstring:
    return parse(importlib.import_module(f"{package}.{name.replace('-', '_')}").__doc__)


def _install(name: str) -> str:
    return f"styleexport[{name}]" if name in EXTRAS else "styleexport"


def _versioned(tool: str) -> str:
    tested = {**TESTED, **{k: v for extra in EXTRAS.values() for k, v in extra.items()}}
    return f"{tool} {tested[tool]}" if tool in tested else tool


def _readers(target: Target) -> str:
    readers = (
        f"[{name}](../reference/runners.md#{name})"
        for name, runner in _runners()
        if target.suffix in runner.suffixes
    )
    return ", ".join(readers)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
