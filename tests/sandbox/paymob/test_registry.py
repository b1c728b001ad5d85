"""What the offline Paymob consists of is listed in one place, and nothing is missing there."""

import importlib
import pkgutil
import re
from pathlib import Path

from sandboxes.kit.routing import Route
from sandboxes.paymob import resources
from sandboxes.paymob.pages import checkout, texts
from sandboxes.paymob.registry import ROUTES, TIMERS

FOLDER = Path(__file__).parents[3] / "sandboxes" / "paymob"
SCHEDULED = re.compile(r"schedule(?:_at)?\(\s*\"([\w.]+)\"")
SAID = re.compile(r"say\(['\"]([^'\"]+)['\"]\)")


def test_every_endpoint_is_listed_once() -> None:
    modules = [
        importlib.import_module(f"{resources.__name__}.{found.name}")
        for found in pkgutil.iter_modules(resources.__path__)
    ]
    made = [thing for module in modules for thing in vars(module).values() if isinstance(thing, Route)]
    assert {(route.method, route.pattern) for route in made} == {(route.method, route.pattern) for route in ROUTES}
    assert len(made) == len(ROUTES) > 15


def test_every_timer_that_is_scheduled_can_run() -> None:
    scheduled = {kind for path in FOLDER.rglob("*.py") for kind in SCHEDULED.findall(path.read_text())}
    assert scheduled == set(TIMERS)


def test_every_text_of_the_pages_is_translated() -> None:
    said = set(SAID.findall(Path(checkout.__file__).read_text()))
    assert len(said) > 15
    assert {text for text in said if texts.said(texts.ARABIC, text) == text} == set()
