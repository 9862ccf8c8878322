"""Renders self-contained pages: scripts, fonts and images from elsewhere are never asked for."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from blendtune_documents.plane import QUARTERS, QUARTERS_DOWN, percent_across, percent_down

Filters = Mapping[str, Callable[..., str]]


def render(
    name: str, values: Mapping[str, Any], *, package: str = __package__, filters: Filters | None = None
) -> str:
    """The page of the template NAME.html in `package`, with NAME.css and NAME.js in it where they exist.

    Every value is escaped. The content security policy lets nothing else in.
    """
    environment = _environment(package)
    if filters:
        environment = environment.overlay()
        environment.filters = {**environment.filters, **filters}
    script = _source(environment, f"{name}.js")
    return environment.get_template(f"{name}.html").render(
        values,
        style=Markup().join(_source(environment, f"{each}.css") for each in ("page", "charts", name)),
        script=script,
        script_digest=b64encode(sha256(script.encode()).digest()).decode(),
    )


def render_part(name: str, values: Mapping[str, Any], *, package: str = __package__) -> str:
    """The template NAME.html alone, for a page that is open already and has all that belongs to it."""
    return _environment(package).get_template(f"{name}.html").render(values)


@cache  # with its compiled templates
def _environment(package: str) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(__package__)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent_across": percent_across, "percent_down": percent_down}
    environment.globals |= {"quarters": QUARTERS, "quarters_down": QUARTERS_DOWN}
    return environment


def _source(environment: Environment, file: str) -> Markup:
    """A style or script of ours as it stands, not escaped; empty where there is none."""
    if file not in environment.list_templates():
        return Markup()
    assert environment.loader
    return Markup(environment.loader.get_source(environment, file)[0])
