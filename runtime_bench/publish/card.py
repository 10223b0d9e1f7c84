"""Model card of an artifact: Markdown under YAML front matter, as model hubs read it.

Everything in it is a fact of the manifest; it is written at export, beside the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from styleexport.core.card_file import with_digest
from styleexport.core.manifest import FileFact, Manifest, NetworkFact
from styleexport.core.notebook import human_bytes
from styleexport.core.types import Role

# Identifiers that hubs know, by the beginning of the licence's words.
LICENCES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "BSD-3-Clause": "bsd-3-clause"}
OTHER = "other"
HEADER = ("file", "role", "size", "precision", "bytes", "parity", "quality")
USE = {
    Role.STYLIZE: "styleexport stylize {folder} photo.jpg -o painted.png",
    Role.TRANSFORM: "styleexport stylize {folder} photo.jpg painting.jpg -o painted.png",
}


def licence_id(network: NetworkFact) -> str:
    """Return the identifier of a network's licence, as hubs know it; ``other`` where none is."""
    known = (name for words, name in LICENCES.items() if network.licence.startswith(words))
    return next(known, OTHER)


def model_card(manifest: Manifest, picture: str | None = None) -> str:
    """Return the model card of an artifact.

    Args:
        manifest: facts of the artifact.
        picture: path of sample pictures below the artifact; None without.
    """
    network = manifest.network
    parts = (
        _front_matter(manifest),
        f"# {network.name}\n\n{_sentence(network.summary)}",
        f"![A photograph, and the same painted by these files]({picture})" if picture else "",
        "\n".join(_origin(network)),
        "## Files\n\n" + "\n".join(_files(manifest.files)),
        "## Use\n\n" + "\n".join(_use(manifest)),
        "## Limits\n\n" + "\n".join(_limits(manifest)),
        f"## Citation\n\n{network.paper}",
    )
    return with_digest("\n\n".join(part for part in parts if part) + "\n\n")


def _front_matter(manifest: Manifest) -> str:
    network, files = manifest.network, manifest.files
    kinds = [*(fact.target for fact in files), *(fact.precision.value for fact in files)]
    tags = dict.fromkeys(("style-transfer", "styleexport", *kinds))
    metrics = ["psnr", "ssim"] if any(fact.quality for fact in files) else ["psnr"]
    licence = licence_id(network)
    fields: dict[str, object] = {
        "license": licence,
        **({"license_name": network.licence} if licence == OTHER else {}),
        "library_name": "styleexport",
        "pipeline_tag": "image-to-image",
        "tags": list(tags),
        "base_network": network.name,
        "metrics": metrics,
    }
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["---", *lines, "---"])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _origin(network: NetworkFact) -> Iterator[str]:
    """Yield where the network and its weights come from, and how pictures are given to it."""
    yield f"- **Paper:** {network.paper}"
    source = ", ".join(network.source) or "a module in memory"
    yield f"- **Weights:** {source}, sha256 `{network.source_sha256}`"
    yield f"- **Licence:** {network.licence}"
    if network.pixels is not None:
        yield f"- **The network's own pixels:** {network.pixels.summary}"
    if network.code_layout is not None:
        layout = network.code_layout
        yield f"- **Style code:** {layout.length} values: {layout}"


def _files(files: Sequence[FileFact]) -> Iterator[str]:
    """Yield a table of the files."""
    yield _row(HEADER)
    yield _row(["---"] * len(HEADER))
    for fact in files:
        yield _row(
            (
                f"`{fact.path}`",
                fact.role.value,
                str(fact.size.size()) if fact.size else "several" if fact.sizes else "any",
                fact.precision.value,
                human_bytes(fact.size_bytes),
                f"{fact.worst.measured_db:.1f} dB",
                _quality(fact),
            )
        )
    yield ""
    yield (
        "Parity is the PSNR of a file's output to the float network's on the probes in `probes/`; "
        "quality is that on photographs and paintings, with the change of the style distance."
    )


def _quality(fact: FileFact) -> str:
    if fact.quality is None:
        return ""
    change = fact.quality.style_change
    style = "" if change is None else f", style {change:+.1%}"
    return f"{fact.quality.psnr_db:.1f} dB{style}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _use(manifest: Manifest) -> Iterator[str]:
    """Yield each file's inputs and outputs, and commands."""
    done: set[tuple[str, Role]] = set()
    for fact in manifest.files:
        if (fact.target, fact.role) in done:
            continue
        done.add((fact.target, fact.role))
        for way, facts in (("takes", fact.inputs), ("gives", fact.outputs)):
            texts: list[str] = []
            for item in facts:
                low, high = item.pixel_range or (0.0, 1.0)
                pixels = f", {item.colour_order} in {low:g}..{high:g}" if item.pixel_range else ""
                shape = ", ".join(map(str, item.shape))
                texts.append(f"`{item.name}` {item.dtype} {item.layout} [{shape}]{pixels}")
            yield f"- {fact.target} {fact.role.value} {way} {'; '.join(texts)}"
    roles = {fact.role for fact in manifest.files}
    lines = ["styleexport verify FOLDER"]
    lines += [USE[role].format(folder="FOLDER") for role in USE if role in roles][:1]
    yield "\nWith styleexport installed, FOLDER being this one:\n"
    yield "\n".join(["```bash", *lines, "```"])


def _limits(manifest: Manifest) -> Iterator[str]:
    """Yield what the files do not do, as far as it is known."""
    network = manifest.network
    yield f"- Pictures have {network.min_side} pixels or more on each side."
    if any(fact.size is not None for fact in manifest.files):
        yield "- A file of one size takes that size alone: scale the photograph to it."
    if network.code_layout is not None:
        yield f"- Of two styles: {network.code_layout.blending_line()}."
    for fact in manifest.files:
        if fact.quality is not None and fact.quality.failures:
            yield f"- `{fact.path}` misses its budget: {'; '.join(fact.quality.failures)}"
    risks = {f"{risk.reason}; {risk.remedy}" for fact in manifest.files for risk in fact.risks}
    for risk in sorted(risks):
        yield f"- {risk}"
