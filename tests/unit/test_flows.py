"""The five flows that docs/architecture.md lists are those of the code."""

import ast
import importlib
import inspect
import re
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from procrastinate.tasks import Task

from multitask import jobs
from multitask.webhooks import dispatch

ROOT = Path(__file__).parents[2]
FLOW = re.compile(r"^\*\*(?P<title>[^*]+)\*\*[^\n]*\n\n(?P<steps>(?:\d+\. .*\n)+)", re.MULTILINE)
STEP = re.compile(r"^\d+\. `(?P<name>[\w.]+)`(?P<note>.*)$", re.MULTILINE)
# Called by the engine through `Handler`, so no caller names their class.
HANDLED = {"call", "succeeded", "hold", "failed", "find"}


def flows() -> dict[str, list[str]]:
    document = (ROOT / "docs" / "architecture.md").read_text().partition("## The five flows")[2]
    return {
        found["title"]: [step["name"] for step in STEP.finditer(found["steps"])] for found in FLOW.finditer(document)
    }


def function(name: str) -> Callable[..., Any]:
    """Import `package.module.function`, or a method of a class in a module."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return inspect.unwrap(getattr(found, "func", found))
    raise AssertionError(f"{name} cannot be imported")


def called(name: str) -> list[Any]:
    """The functions that a function names: what it calls, and what it hands on to be called."""
    caller = function(name)
    known = {**vars(inspect.getmodule(caller)), **inspect.getclosurevars(caller).nonlocals}
    found: list[Any] = []
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(caller)))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.append(getattr(known.get(node.value.id), node.attr, None))
        elif isinstance(node, ast.Name):
            found.append(known.get(node.id))
    return [inspect.unwrap(getattr(one, "func", one)) for one in found if callable(one)]


def height(name: str) -> tuple[int, int]:
    """Return the layer of a function: its package in `multitask`, and its package in `payments`."""
    parts = name.split(".")
    sub_room = _place("multitask.payments", parts[2]) if parts[1] == "payments" else 0
    return _place("multitask", parts[1]), sub_room


def _place(container: str, member: str) -> int:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one.get("containers") == [container])
    (place,) = (place for place, layer in enumerate(reversed(layers)) if f"({member})" in layer)
    return place


def test_five_flows_are_listed() -> None:
    assert [len(steps) > 10 for steps in flows().values()] == [True] * 5


@pytest.mark.parametrize("steps", flows().values(), ids=list(flows()))
def test_each_function_is_called_by_one_above_it(steps: list[str]) -> None:
    for place, name in enumerate(steps[1:], start=1):
        before, short = steps[:place], name.rpartition(".")[2]
        if short in HANDLED:
            # The engine calls it through `Handler`.
            assert any(".engine." in earlier for earlier in before), f"no engine above {name}"
        elif name.startswith("multitask.jobs."):
            assert isinstance(getattr(jobs, short), Task)
        elif name.startswith("multitask.webhooks.dispatch._confirm"):
            # Chosen by the subject of the event.
            assert function(name) in {inspect.unwrap(route.confirm) for route in dispatch._ROUTES.values()}
        else:
            callers = [earlier for earlier in before if function(name) in called(earlier)]
            assert callers, f"nothing above calls {name}"
            assert all(height(caller) >= height(name) for caller in callers), f"{callers} call up to {name}"
