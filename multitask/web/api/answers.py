"""Answers that are JSON already, which the router sends as they are; their tests hold them to the documented schema."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse

from multitask.web.api import pagination
from multitask.web.api.pagination import Paging

CONTENT_TYPE = "application/json; charset=utf-8"


def written(content: str) -> HttpResponse:
    """Return a response of JSON that is written already."""
    return HttpResponse(content, content_type=CONTENT_TYPE)


def of(fields: dict[str, Any]) -> HttpResponse:
    """Return a response with an object of values that JSON has: text, numbers, lists, objects, null."""
    return written(json.dumps(fields))


def page(request: HttpRequest, paging: Paging, results: str, *, count: int) -> HttpResponse:
    """Return a response with one page of a list whose rows are written already, with the fields of `Page`."""
    beside = pagination.links(request, paging, count=count)
    return written(
        f'{{"count":{count},"next":{json.dumps(beside.next)},"previous":{json.dumps(beside.previous)},'
        f'"results":{results}}}'
    )
