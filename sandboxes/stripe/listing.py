"""Pages of a list: limit, starting_after, ending_before, created, newest first."""

from __future__ import annotations

from typing import Any

from sandboxes.kit.call import Call
from sandboxes.kit.documents import Doc
from sandboxes.kit.errors import bad_param
from sandboxes.stripe.sandbox import Sandbox

_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
Conditions = tuple[tuple[str, Any], ...]


def listed(data: list[Any], url: str, *, has_more: bool = False) -> Doc:
    """Return Stripe's list shape around some objects."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def page(
    sandbox: Sandbox,
    call: Call,
    kind: str,
    *,
    parent: str | None = None,
    where: dict[str, Any] | None = None,
    conditions: Conditions = (),
    scoped: bool = True,
) -> Doc:
    """Return one page of a kind, rendered. `scoped`: of the calling account only."""
    after, before = call.get("starting_after"), call.get("ending_before")
    if after and before:
        raise bad_param("You may only specify one of these parameters: starting_after, ending_before.", "ending_before")
    limit = call.get("limit", 10)
    owner = call.account if scoped else None
    marks = _cursor(sandbox, kind, owner, after, "starting_after") + _cursor(
        sandbox, kind, owner, before, "ending_before"
    )
    found = sandbox.store.find(
        kind,
        account=owner,
        parent=parent,
        where=where,
        conditions=conditions + moments(call.get("created")) + marks,
        limit=limit + 1,
        newest_first=not before,
    )
    shown = found[:limit]
    if before:
        shown.reverse()
    return listed([sandbox.render(doc) for doc in shown], call.path, has_more=len(found) > limit)


def filters(call: Call, *names: str) -> dict[str, Any]:
    """Return the named parameters that were given, to compare with the documents."""
    return {name: call.params[name] for name in names if call.get(name) is not None}


def _cursor(sandbox: Sandbox, kind: str, owner: str | None, ident: str | None, param: str) -> Conditions:
    if not ident:
        return ()
    doc = sandbox.find(kind, ident, account=owner, param=param)
    return ((f"seq {'<' if param == 'starting_after' else '>'} ?", sandbox.store.seq_of(doc["id"])),)


def moments(given: Any, column: str = "created") -> Conditions:
    """Return the conditions of a filter by moment: one second, or a range."""
    if given is None:
        return ()
    if isinstance(given, int):
        return ((f"{column} = ?", given),)
    return tuple((f"{column} {_OPERATORS[name]} ?", value) for name, value in given.items() if value is not None)
