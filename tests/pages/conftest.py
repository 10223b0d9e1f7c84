"""What the tests of pages share: one Chromium, and the packages of the page of `serve`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from styleexport.runtime_bench.runners.browser import _chromium
from tests.pages import accessibility
from tests.runtime_bench.browser.conftest import needed, packages
from tests.runtime_bench.browser.driven_page import DrivenPage, driven

__all__ = ["packages"]


@pytest.fixture(scope="module")
def page() -> Iterator[DrivenPage]:
    """A page of Chromium that the tests of a file open one address after another in."""
    needed(_chromium.missing())
    needed(accessibility.missing())
    with driven("about:blank") as opened:
        yield opened
