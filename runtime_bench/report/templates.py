"""Jinja templates of the HTML pages. Reports also come from the network: all text is escaped."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from styleexport.core.files import marked_product

# In the head of every page, by which the next run knows it for one of ours.
GENERATOR = '<meta name="generator" content="styleexport">'
PAGE = marked_product("a page of styleexport", GENERATOR.encode())


def render_template(package: str, name: str, **context: object) -> str:
    """Return a filled-in template.

    Args:
        package: package with a ``templates`` folder; it may include those of the latency report.
        name: file in that folder.
        context: values by the names that the template uses; escaped unless they are `Markup`.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(__package__ or "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(context, generator=Markup(GENERATOR))
