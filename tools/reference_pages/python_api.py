"""Reference of the Python interface: the public names of `styleexport`, from their docstrings."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

import styleexport
from styleexport.exporter.pipeline import Exported
from styleexport.models.network import LoadedNetwork
from tools.reference_pages.docstrings import Docstring, parse

# Neither has a docstring of ours.
APART = ("Path", "__version__")
LONGEST_DEFAULT = 60
# What public functions return.
RETURNED = (LoadedNetwork, Exported)
INTRODUCTION = """\
# Python

Everything here is a name of `styleexport`: `import styleexport as se`, then `se.export`. Nothing
heavy is imported until a name is used. Errors are `StyleExportError` or a subclass of it.

```python
from pathlib import Path
import styleexport as se

network = se.open_network("adain-residual")
request = se.ExportRequest(network, Path("artifact"), precisions=(se.Precision.INT8,))
exported = se.export(request)
with se.Stylizer(Path("artifact")) as stylizer:
    print(stylizer.manifest.files[0].worst)
```
"""


def page() -> str:
    """Return the text of docs/reference/python.md."""
    lines = [INTRODUCTION]
    for name in public_names():
        lines += [f"## {name}", "", *_entry(name, getattr(styleexport, name))]
    for kind in RETURNED:
        lines += [f"## {kind.__name__}", "", *_entry(kind.__name__, kind)]
    return "\n".join(lines)


def public_names() -> list[str]:
    """Return the names that the page describes."""
    return sorted((n for n in styleexport.__all__ if n not in APART), key=str.lower)


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties that a class defines itself, by name."""
    for name, value in vars(kind).items():
        is_method = inspect.isfunction(value) or isinstance(value, classmethod | property)
        if is_method and not name.startswith("_"):
            yield name, value


def _entry(name: str, value: Any) -> list[str]:  # noqa: ANN401
    if not inspect.isclass(value):
        return [*_code(name, value), *_sections(parse(inspect.getdoc(value)))]
    docstring = parse(value.__doc__)
    if issubclass(value, enum.Enum):
        values = ", ".join(f"`{member.value}`" for member in value)
        return [docstring.text, "", f"Values: {values}.", ""]
    if issubclass(value, msgspec.Struct):
        lines = [docstring.summary, "", "[Its fields](manifest.md), as in `manifest.json`.", ""]
    else:
        lines = [*_constructor(name, value), *_sections(docstring, _defaults(value))]
    for inner, member in members(value):
        lines += [f"### {name}.{inner}", ""]
        if not isinstance(member, property):
            lines += _code(f"{name}.{inner}", getattr(value, inner))
        lines += _sections(parse(member.__doc__))
    return lines


def _constructor(name: str, kind: type) -> list[str]:
    if dataclasses.is_dataclass(kind) or "__init__" not in vars(kind):
        return []
    return _code(name, kind)


def _defaults(kind: type) -> dict[str, str]:
    """Return the type of each field of a dataclass, and its default where it has one."""
    if not dataclasses.is_dataclass(kind):
        return {}
    shown: dict[str, str] = {}
    for item in dataclasses.fields(kind):
        default = "" if item.default is dataclasses.MISSING else _value(item.default)
        is_short = 0 < len(default) < LONGEST_DEFAULT
        shown[item.name] = f"{item.type} = {default}" if is_short else str(item.type)
    return shown


def _value(value: object) -> str:
    return f"{type(value).__name__}.{value.name}" if isinstance(value, enum.Enum) else repr(value)


def _code(name: str, called: Callable[..., object]) -> list[str]:
    """Return a block with the signature of a function, a parameter on each line if it is long."""
    signature = inspect.signature(called)
    parameters = [_parameter(p) for p in signature.parameters.values() if p.name != "self"]
    result = signature.return_annotation
    arrow = "" if result is inspect.Signature.empty else f" -> {str(result).strip(chr(39))}"
    line = f"{name}({', '.join(parameters)}){arrow}"
    if len(line) > 88:
        line = "\n".join([f"{name}(", *(f"    {p}," for p in parameters), f"){arrow}"])
    return ["```python", line, "```", ""]


def _parameter(parameter: inspect.Parameter) -> str:
    text = f"{parameter.name}: {str(parameter.annotation).strip(chr(39))}"
    if parameter.default is inspect.Parameter.empty:
        return text
    default = "..." if callable(parameter.default) else _value(parameter.default)
    return f"{text} = {default}"


def _sections(docstring: Docstring, types: dict[str, str] | None = None) -> list[str]:
    lines = [docstring.text, ""]
    for title, entries in docstring.sections.items():
        lines += [f"{title}:", ""] if title != "Attributes" else []
        for name, text in entries.items():
            kind = f" `{types[name]}`" if types and name in types else ""
            lines.append(f"- `{name}`{kind}: {text}")
        lines.append("")
    return lines
