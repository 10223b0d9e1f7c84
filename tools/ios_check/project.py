"""Check of project.yml, from which XcodeGen generates the Xcode project."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.ios_check.outcome import Outcome
from tools.ios_check.sources import HARNESS

NAME = "project.yml"
BUNDLE = "org.styleexport.harness"
TOP = {"name", "options", "packages", "settings", "targets", "schemes"}
TARGET = {"type", "platform", "sources", "dependencies", "settings"}
TYPES = {"application", "bundle.unit-test", "bundle.ui-testing"}


def check() -> Outcome:
    """Return whether targets, sources, products and versions match the package and its files."""
    if not importlib.util.find_spec("yaml"):
        return Outcome(NAME, "not possible here", ("no PyYAML: pip install pyyaml",))
    import yaml

    try:
        project = yaml.safe_load((HARNESS / NAME).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        return Outcome(NAME, "failed", (f"cannot be read: {error}",))
    manifest = (HARNESS / "Package.swift").read_text(encoding="utf-8")
    return Outcome.of(
        NAME, list(faults(project, manifest)), f"{len(project['targets'])} targets match"
    )


def faults(project: dict[str, Any], manifest: str, folder: Path = HARNESS) -> Iterator[str]:
    """Yield the faults of a project, given the text of Package.swift."""
    yield from (f"unknown key {key}" for key in sorted(set(project) - TOP))
    targets = project.get("targets") or {}
    app = [name for name, target in targets.items() if target.get("type") == "application"]
    if len(app) != 1:
        yield f"expected one application, found {app}"
    for name, target in targets.items():
        yield from (f"{name}: {fault}" for fault in _target_faults(target, project, folder))
        yield from (f"{name}: {fault}" for fault in _product_faults(target, project, manifest))
    for name in app:
        settings = targets[name].get("settings", {}).get("base", {})
        if settings.get("PRODUCT_BUNDLE_IDENTIFIER") != BUNDLE:
            yield f"{name}: the host launches {BUNDLE}, and no other bundle"
        if not (folder / str(settings.get("INFOPLIST_FILE", ""))).is_file():
            yield f"{name}: INFOPLIST_FILE is not there"
    yield from _version_faults(project, manifest)
    for name, scheme in (project.get("schemes") or {}).items():
        references = set(scheme.get("build", {}).get("targets", {}))
        references |= set(scheme.get("test", {}).get("targets", ()))
        yield from (f"scheme {name}: no target {one}" for one in sorted(references - set(targets)))


def _target_faults(target: dict[str, Any], project: dict[str, Any], folder: Path) -> Iterator[str]:
    yield from (f"unknown key {key}" for key in sorted(set(target) - TARGET))
    if target.get("type") not in TYPES or target.get("platform") != "iOS":
        yield f"expected a target for iOS of type {', '.join(sorted(TYPES))}"
    if not target.get("sources"):
        yield "has no sources"
    for source in target.get("sources", ()):
        if not source.get("optional") and not (folder / source["path"]).exists():
            yield f"{source['path']} is not there"
    for dependency in target.get("dependencies", ()):
        if "target" in dependency and dependency["target"] not in project["targets"]:
            yield f"no target {dependency['target']}"


def _product_faults(
    target: dict[str, Any], project: dict[str, Any], manifest: str
) -> Iterator[str]:
    products = re.findall(r'\.library\(name: "(\w+)"', manifest)
    for dependency in target.get("dependencies", ()):
        package, product = dependency.get("package"), dependency.get("product")
        if package is not None and package not in (project.get("packages") or {}):
            yield f"no package {package}"
        if package is not None and product not in products:
            yield f"Package.swift has no library {product}"


def _version_faults(project: dict[str, Any], manifest: str) -> Iterator[str]:
    deployment = str(project.get("options", {}).get("deploymentTarget", {}).get("iOS", ""))
    package = re.search(r"\.iOS\(\.v(\d+)\)", manifest)
    if package is None or deployment.partition(".")[0] != package[1]:
        yield f"deployment target iOS {deployment or 'none'} is not that of Package.swift"
    base = project.get("settings", {}).get("base", {})
    if str(base.get("SWIFT_VERSION")) != "6.0":
        yield "SWIFT_VERSION must be 6.0: the package is checked in that mode"
    if base.get("SWIFT_STRICT_CONCURRENCY") != "complete":
        yield "SWIFT_STRICT_CONCURRENCY must be complete"
