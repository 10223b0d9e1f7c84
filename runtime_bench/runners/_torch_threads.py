"""Thread count of torch during a session."""

from __future__ import annotations

import contextlib
from collections.abc import Generator


@contextlib.contextmanager
def torch_threads(count: int | None) -> Generator[None]:
    """Set the number of threads inside the block; None leaves it to torch."""
    import torch

    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
