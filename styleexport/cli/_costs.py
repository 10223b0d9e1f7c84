"""Table that compares the costs of two networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from styleexport.cli._common import human_bytes

if TYPE_CHECKING:
    from styleexport.models.compress.cost import Costs


def cost_rows(costs: Costs) -> list[tuple[str, str, str, str]]:
    """Return rows: quantity, first network, second network, and the second's share of the first."""
    rows = [("parameters", costs.parameters, "{:,.0f}".format)]
    rows += [(f"weights, {p}", c, _bytes) for p, c in costs.weight_bytes.items()]
    if costs.style_code is not None:
        rows.append(("values in a style code", costs.style_code, "{:.0f}".format))
    for role in costs.roles:
        rows.append((f"{role.role.value} {role.size}, MAC", role.macs, _giga))
        if role.eager_ms is not None:
            name = f"{role.role.value} {role.size}, PyTorch eager"
            rows.append((name, role.eager_ms, "{:.1f} ms".format))
    return [(n, show(c.before), show(c.after), f"{c.share:.0%}") for n, c, show in rows]


def _bytes(count: float) -> str:
    return human_bytes(int(count))


def _giga(count: float) -> str:
    return f"{count / 1e9:.3f} G"
