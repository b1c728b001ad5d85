"""What the offline Stripe consists of is listed in one place, and nothing is missing there."""

import importlib
import pkgutil
import re
from pathlib import Path

from sandboxes.kit.routing import Route
from sandboxes.stripe import resources
from sandboxes.stripe.registry import ROUTES, TIMERS

FOLDER = Path(__file__).parents[2] / "sandboxes" / "stripe"
SCHEDULED = re.compile(r"schedule(?:_at)?\(\s*\"([\w.]+)\"")


def test_every_endpoint_is_listed_once() -> None:
    modules = [
        importlib.import_module(f"{resources.__name__}.{found.name}")
        for found in pkgutil.iter_modules(resources.__path__)
    ]
    made = [thing for module in modules for thing in vars(module).values() if isinstance(thing, Route)]
    assert made
    assert {(route.method, route.pattern) for route in made} == {(route.method, route.pattern) for route in ROUTES}
    assert len({(route.method, route.pattern) for route in ROUTES}) == len(ROUTES)


def test_every_timer_that_is_scheduled_can_run() -> None:
    scheduled = {kind for path in FOLDER.rglob("*.py") for kind in SCHEDULED.findall(path.read_text())}
    assert scheduled <= set(TIMERS)
    assert len(scheduled) > 10
