"""Reading of weights: safetensors, npz and pickles of plain tensors, never code."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from styleexport.core.archives import check_unpacked
from styleexport.core.errors import BadCheckpoint
from styleexport.core.input_files import check_input, open_input
from styleexport.models.state_dicts import AVERAGED, Chosen, choose, prefixes, words_of
from styleexport.models.weights_choice import weights_choice

FROM_REGISTRY = "`styleexport networks` says which checkpoint each network takes"
FROM_USER = (
    "build the module as it was trained, or save its weights again with "
    "torch.save(module.state_dict(), path)"
)
COUNTER = "num_batches_tracked"


# A buffer may repeat its values (`Tensor.expand`), but not to this size.
MAX_REPEATED_BYTES = 1 << 30


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the named float32 tensors of a checkpoint file, on the CPU.

    ``.safetensors`` and ``.npz`` are read as such, anything else as a torch file with
    ``weights_only=True``. Of several state dicts in it, the one that is meant is taken
    (`state_dicts.choose`); the prefixes ``module.`` and ``_orig_mod.`` are dropped.

    Raises:
        BadCheckpoint: the file is missing, truncated, holds code, holds no finite tensors, or
            several state dicts that cannot be told apart.
    """
    remedy = "type the path of a weights file"
    check_input(path, "checkpoint", error=BadCheckpoint, remedy=remedy)
    suffix = path.suffix.lower()
    check_unpacked(path, "checkpoint", BadCheckpoint)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if suffix == ".safetensors":
                tensors: object = load_file(path)
            elif suffix == ".npz":
                with np.load(path, allow_pickle=False) as archive:
                    tensors = {key: torch.from_numpy(archive[key]) for key in archive.files}
            else:
                tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what damaged bytes make a reader raise is not a closed list
        raise _unreadable(path, error) from error
    return _plain_tensors(path, tensors)


def _unreadable(path: Path, error: Exception) -> BadCheckpoint:
    text = str(error).strip()
    if blocked := re.search(r"GLOBAL (\S+)", text):
        return BadCheckpoint(
            f"checkpoint {path} holds code ({blocked[1]}), which was not executed; expected "
            "tensors only: save it again with torch.save(model.state_dict(), path)"
        )
    if "TorchScript" in text:
        return BadCheckpoint(
            f"checkpoint {path} is a TorchScript program, expected a state dict: save it again "
            "with torch.save(torch.jit.load(path).state_dict(), path)"
        )
    if "Object arrays" in text or "allow_pickle" in text:
        text = "it holds Python objects, which were not read"
    # torch's own advice is to switch its protection off: it is not passed on.
    reason = "" if "weights_only" in text or not text else f" ({text.splitlines()[0][:200]})"
    return BadCheckpoint(
        f"checkpoint {path} cannot be read{reason}: it is truncated, damaged or not a weights "
        "file; download it again, or save it again with torch.save(model.state_dict(), path)"
    )


def _plain_tensors(path: Path, loaded: object) -> dict[str, Tensor]:
    choice = weights_choice()
    key = choice.key_of(path)
    chosen = choose(path, loaded, key)
    if chosen.others or chosen.averaged or key is not None:
        choice.took(path, chosen.key, chosen.remark(path))
    tensors = dict(chosen.tensors)
    for key, value in tensors.items():
        _check_plain(path, key, value)
        if value.is_floating_point():
            tensors[key] = value = value.float()
            if not bool(torch.isfinite(value).all()):
                raise BadCheckpoint(
                    f"checkpoint {path}: {key} holds NaN or infinite values; expected finite "
                    "weights: go back to an earlier checkpoint of the training"
                )
    return tensors


def _check_plain(path: Path, key: str, value: Tensor) -> None:
    """Check that a tensor has values of its own, as many as its shape says.

    Raises:
        BadCheckpoint: it is a shape without values, sparse or quantized, or claims to be larger
            than its file.
    """
    kind = (
        "on the meta device, a shape without values"
        if value.is_meta
        else "sparse"
        if value.layout is not torch.strided
        else "quantized"
        if value.is_quantized
        else ""
    )
    stored = max(value.untyped_storage().nbytes(), MAX_REPEATED_BYTES) if not kind else 0
    if not kind and value.numel() * value.element_size() > stored:
        kind = f"{list(value.shape)}, larger than its values in the file"
    if kind:
        raise BadCheckpoint(
            f"checkpoint {path}: {key} is {kind}; expected dense tensors with their values: save "
            "it again with torch.save(model.state_dict(), path)"
        )


def load_into(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    path: Path,
    *,
    renamed: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    advice: str = FROM_REGISTRY,
) -> None:
    """Copy tensors into a module, in place.

    Where the module's names are all there behind one prefix (``generator.``), those are taken, and
    where all of the checkpoint's are the module's without a first part, likewise.

    Args:
        module: module that receives the weights.
        tensors: tensors of `read_tensors`.
        path: checkpoint file, for messages.
        renamed: checkpoint key → module key; None where the keys are the same.
        ignore: prefixes of checkpoint keys that may be unused.
        advice: what to do where they do not fit, as the message ends.

    Raises:
        BadCheckpoint: keys or shapes do not fit; the first missing, unexpected and mis-shaped keys
            are named.
    """
    state = module.state_dict()
    names = dict(renamed) if renamed is not None else {key: key for key in state}
    # Files of old torch versions lack these counters, which play no part in inference.
    names = {k: n for k, n in names.items() if k in tensors or not k.endswith(COUNTER)}
    tensors = _behind_prefix(
        tensors, names, {key: state[n].shape for key, n in names.items()}, path
    )
    if faults := _faults(state, tensors, names, ignore):
        raise BadCheckpoint(
            f"checkpoint {path} is of another network: {'; '.join(faults)}; {advice}"
        )
    with torch.no_grad():
        for key, name in names.items():
            state[name].copy_(tensors[key])


def _faults(
    state: Mapping[str, Tensor],
    tensors: Mapping[str, Tensor],
    names: Mapping[str, str],
    ignore: Sequence[str],
) -> list[str]:
    """Return what keeps tensors from being a module's: first key and number of each kind."""
    missing = [key for key in names if key not in tensors]
    missing += [k for k in state if k not in names.values() and not k.endswith(COUNTER)]
    unexpected = [k for k in tensors if k not in names and not k.startswith(tuple(ignore) or "\0")]
    shapes = [
        f"{key} is {list(tensors[key].shape)}, expected {list(state[name].shape)}"
        for key, name in names.items()
        if key in tensors and tensors[key].shape != state[name].shape
    ]
    return [
        f"{title} {keys[0]}" + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")
        for title, keys in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("mis-shaped:", shapes),
        )
        if keys
    ]


def _behind_prefix(
    tensors: Mapping[str, Tensor],
    names: Mapping[str, str],
    shapes: Mapping[str, torch.Size],
    path: Path,
) -> Mapping[str, Tensor]:
    """Return the tensors whose names are the expected ones behind a prefix, without it.

    Args:
        tensors: tensors of the checkpoint.
        names: expected key → module key.
        shapes: expected key → shape.
        path: checkpoint file, for messages.

    Raises:
        BadCheckpoint: the network is there behind several prefixes, none of which is an average.
    """
    if not names or all(key in tensors for key in names):
        return tensors
    first = max(names, key=len)
    found = [name.removesuffix(first) for name in tensors if name.endswith(f".{first}")]
    fits = [
        prefix
        for prefix in found
        if all(
            prefix + key in tensors and tensors[prefix + key].shape == shape
            for key, shape in shapes.items()
        )
    ]
    averaged = [prefix for prefix in fits if words_of(prefix) & AVERAGED]
    if len(fits) > 1 and len(averaged) != 1:
        raise BadCheckpoint(
            f"checkpoint {path} holds this network {len(fits)} times, behind {', '.join(fits)}: "
            f"type for example --weights-key {fits[0].rstrip('.')}"
        )
    if fits:
        prefix = averaged[0] if averaged else fits[0]
        others = [name for name in prefixes(tensors) if not prefix.startswith(f"{name}.")]
        others += [other.rstrip(".") for other in fits if other != prefix]
        key = prefix.rstrip(".")
        remark = Chosen(key, {}, bool(averaged), tuple(dict.fromkeys(others))).remark(path)
        weights_choice().took(path, key, remark)
        return {key: tensors[prefix + key] for key in names}
    # A module that holds the network of the checkpoint as its only part.
    part = next(iter(names)).partition(".")[0] + "."
    inner = {f"{part}{key}": value for key, value in tensors.items()}
    return inner if inner.keys() == names.keys() else tensors


def sha256_of(paths: Sequence[Path], keys: Sequence[str] = ()) -> str:
    """Return the sha256 over the contents of files, and over keys, in order."""
    digest = hashlib.sha256()
    for path in paths:
        with open_input(path, "checkpoint", error=BadCheckpoint) as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    for key in keys:
        digest.update(key.encode())
    return digest.hexdigest()
