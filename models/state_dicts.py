"""State dicts inside a checkpoint, and the one among them that holds the weights to export.

Trainings save several networks in one file: a generator beside its discriminator, and of the
generator the running average of its weights, which paints better than the last step's. What is
taken without a word of the user's is clear by name and by content; the rest is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from styleexport.core.errors import BadCheckpoint

# Written by DataParallel and by torch.compile around every name.
WRAPPED = ("module.", "_orig_mod.")
AVERAGED = frozenset(("ema", "swa", "avg", "average", "averaged", "shadow"))
GENERATORS = frozenset(("g", "gen", "generator", "netg"))
# Parts of a training that paint nothing.
OTHERS = frozenset(
    ("dis", "disc", "discriminator", "netd", "critic", "vgg", "lpips", "loss", "perceptual")
)
NOT_WEIGHTS = re.compile(
    r"optim|(^|[_.])opt([_.\d]|$)|sched|scaler|rng|hyper_?param|hparams|callbacks|loops", re.I
)
MAX_DEPTH, MAX_LISTED = 6, 12


@dataclass(frozen=True)
class StateDict:
    """Named tensors inside a checkpoint.

    Attributes:
        key: keys that lead to it, joined by dots; "" for the whole checkpoint.
        tensors: the tensors by name, wrappers' prefixes dropped.
        averaged: whether its names say that it is a running average.
    """

    key: str
    tensors: Mapping[str, Tensor]
    averaged: bool

    @property
    def words(self) -> frozenset[str]:
        """Words of its key, lower case."""
        return words_of(self.key)

    @property
    def trains(self) -> bool:
        """Whether it is the state of an optimiser or the like."""
        return NOT_WEIGHTS.search(self.key) is not None


@dataclass(frozen=True)
class Chosen:
    """The state dict taken of a checkpoint.

    Attributes:
        key: its key; "" for the whole checkpoint.
        tensors: its tensors by name.
        averaged: whether it is a running average.
        others: keys of what else is there.
    """

    key: str
    tensors: Mapping[str, Tensor]
    averaged: bool = False
    others: tuple[str, ...] = ()

    def remark(self, path: Path) -> str:
        """Return what was taken of a file, in one line."""
        facts = ["averaged"] if self.averaged else []
        if self.others:
            facts.append(f"also there: {listed(self.others)}")
        return f"weights: {self.key} of {path.name}" + (f" ({'; '.join(facts)})" if facts else "")


def words_of(key: str) -> frozenset[str]:
    """Return the words of a key: ``netG.params_ema`` gives netg, params, ema."""
    apart = re.sub(r"([a-z])(EMA|Ema)(?=$|[._])", r"\1_\2", key)
    return frozenset(re.split(r"[^a-z0-9]+", apart.lower()))


def listed(keys: Sequence[str]) -> str:
    """Return keys as a list in a message, cut at a sensible length."""
    more = len(keys) - MAX_LISTED
    return ", ".join(keys[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def state_dicts_in(loaded: object) -> list[StateDict]:
    """Return every state dict of a checkpoint, in its order; optimisers' among them."""
    return list(_walk(loaded, "", 0))


def _walk(value: object, key: str, depth: int) -> Iterator[StateDict]:
    if not isinstance(value, Mapping) or depth > MAX_DEPTH:
        return
    tensors = {str(name): item for name, item in value.items() if isinstance(item, Tensor)}
    if any(item.dim() for item in tensors.values()):
        names, averaged = _unwrapped(tensors)
        yield StateDict(key, names, averaged or bool(words_of(key) & AVERAGED))
    for name, item in value.items():
        yield from _walk(item, f"{key}.{name}" if key else str(name), depth + 1)


def _unwrapped(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
    """Return tensors without wrappers' prefixes, and whether torch's AveragedModel was one."""
    kept = dict(tensors)
    averaged = "n_averaged" in kept and kept["n_averaged"].dim() == 0
    if averaged:
        del kept["n_averaged"]
    while prefix := next((p for p in WRAPPED if all(n.startswith(p) for n in kept)), None):
        kept = {name.removeprefix(prefix): value for name, value in kept.items()}
        if not kept:
            break
    return kept, averaged


def choose(path: Path, loaded: object, key: str | None) -> Chosen:
    """Return the state dict of a checkpoint that holds the weights to export.

    Args:
        path: checkpoint file, for messages.
        loaded: what the file holds.
        key: key that the user typed; None to find out.

    Raises:
        BadCheckpoint: there are no tensors, several state dicts that cannot be told apart, or none
            of that key.
    """
    candidates = state_dicts_in(loaded)
    if not candidates:
        raise _without_tensors(path, loaded)
    if key is not None:
        return _of_key(path, candidates, key)
    networks = [
        item for item in candidates if not item.trains and not _is_remainder(item, candidates)
    ]
    if not networks:
        raise BadCheckpoint(
            f"checkpoint {path} holds tensors in "
            f"{listed([item.key for item in candidates])} alone, the state of a training; expected "
            "the state dict of a network: save it with torch.save(model.state_dict(), path)"
        )
    taken = _clear(networks)
    if taken is None:
        keys = [item.key or "the whole file" for item in networks]
        typed = next(item.key for item in networks if item.key)
        raise BadCheckpoint(
            f"checkpoint {path} holds {len(keys)} state dicts, {listed(keys)}, and nothing says "
            f"which of them is the network: type for example --weights-key {typed}"
        )
    others = tuple(item.key for item in networks if item is not taken and item.key)
    return Chosen(taken.key, taken.tensors, taken.averaged, others)


def _is_remainder(item: StateDict, candidates: Sequence[StateDict]) -> bool:
    """Whether a state dict holds but a few tensors beside the state dicts inside it."""
    inside = [
        x for x in candidates if x is not item and x.key.startswith(item.key and f"{item.key}.")
    ]
    inside = [other for other in inside if not other.trains]
    return bool(inside) and len(item.tensors) < min(len(other.tensors) for other in inside)


def _clear(networks: Sequence[StateDict]) -> StateDict | None:
    """Return the one state dict that is meant, None where that is not clear."""
    others = OTHERS | ({"d"} if any(item.words & GENERATORS for item in networks) else set())
    painting = [item for item in networks if not item.words & others] or list(networks)
    generators = [item for item in painting if item.words & GENERATORS]
    averages = [item for item in painting if item.averaged]
    if len(painting) == 1:
        return painting[0]
    if len(averages) == 1:
        # The average of the network that would be taken without it: of the same names and shapes.
        raw = [item for item in painting if item is not averages[0]]
        raw = [item for item in raw if item in generators] or raw
        alike = all(_shapes(item) == _shapes(averages[0]) for item in raw)
        return averages[0] if alike else None
    return generators[0] if len(generators) == 1 and not averages else None


def _shapes(item: StateDict) -> dict[str, Sequence[int]]:
    return {name: tuple(tensor.shape) for name, tensor in item.tensors.items()}


def _of_key(path: Path, candidates: Sequence[StateDict], key: str) -> Chosen:
    """Return the state dict of a key: a path of keys, the end of one, or a prefix of names."""
    for fits in (
        [item for item in candidates if item.key == key],
        [item for item in candidates if item.key.endswith(f".{key}")],
        [item for item in candidates if item.key.startswith(f"{key}.")],
    ):
        if len(fits) == 1:
            others = tuple(
                item.key for item in candidates if item is not fits[0] and not item.trains
            )
            return Chosen(
                fits[0].key, fits[0].tensors, fits[0].averaged, tuple(filter(None, others))
            )
        if fits:
            raise BadCheckpoint(
                f"checkpoint {path} holds {listed([item.key for item in fits])} under {key!r}: "
                f"type the whole key, --weights-key {fits[0].key}"
            )
    for item in candidates:
        prefix = f"{key.removeprefix(f'{item.key}.') if item.key else key}."
        part = {n.removeprefix(prefix): t for n, t in item.tensors.items() if n.startswith(prefix)}
        if part:
            others = tuple(name for name in prefixes(item.tensors) if f"{name}." != prefix)
            return Chosen(key, part, bool(words_of(key) & AVERAGED), others)
    known = [item.key for item in candidates if item.key] or prefixes(candidates[0].tensors)
    raise BadCheckpoint(
        f"checkpoint {path} has no weights under {key!r}, expected one of {listed(known)}: "
        f"type for example --weights-key {known[0]}"
        if known
        else f"checkpoint {path} has no weights under {key!r}: it is one state dict; leave out "
        "--weights-key"
    )


def prefixes(tensors: Mapping[str, Tensor]) -> list[str]:
    """Return the first parts of dotted names, each once."""
    return list(dict.fromkeys(name.partition(".")[0] for name in tensors if "." in name))


def _without_tensors(path: Path, loaded: object) -> BadCheckpoint:
    kind = type(loaded).__name__
    if not isinstance(loaded, Mapping):
        return BadCheckpoint(
            f"checkpoint {path} holds a {kind}, expected a state dict: save it with "
            "torch.save(model.state_dict(), path)"
        )
    lists = [
        str(name)
        for name, value in loaded.items()
        if isinstance(value, list | tuple) and any(isinstance(item, Tensor) for item in value)
    ]
    if lists:
        what = f"tensors without names in {listed(lists)}"
    elif any(isinstance(value, Tensor) for value in loaded.values()):
        what = "single numbers alone"
    else:
        what = "no tensors"
    return BadCheckpoint(
        f"checkpoint {path} holds {what}, expected a state dict: save it with "
        "torch.save(model.state_dict(), path)"
    )
