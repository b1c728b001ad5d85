"""The OpenAPI document and the page that shows it; nothing is loaded from another host."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from ninja import NinjaAPI
from ninja.openapi import get_schema

from multitask.web.api import documented_codes

MEANINGS = {
    400: "The request cannot be read.",
    401: "Log in first, or again.",
    403: "You may see this, but not do it.",
    404: "It is not there, or not yours to see.",
    408: "The body did not arrive in time.",
    409: "The state of things does not allow this now.",
    411: "The body came without its length.",
    413: "The body is too large.",
    415: "The body is not said to be JSON.",
    422: "A field is wrong; `fields` says which and why.",
    429: "Too many attempts or requests.",
    503: "Not available now: try again, with the same Idempotency-Key where there is one.",
}
WITH_RETRY_AFTER = (429, 503)
RETRY_AFTER = {"description": "Seconds to wait before asking again.", "schema": {"type": "integer", "minimum": 0}}
REPLAYED = {
    "description": "Sent when this is the first answer again, for an Idempotency-Key that was used before.",
    "schema": {"type": "string", "enum": ["true"]},
}
METHODS = ("get", "post", "put", "patch", "delete")


@cache
def openapi(api: NinjaAPI) -> dict[str, Any]:
    """Build the document once; nothing in it changes while the process runs."""
    built = dict(get_schema(api, path_prefix=""))
    for operations in built["paths"].values():
        for operation in operations.values():
            _explain(operation)
    return built


@cache
def content(api: NinjaAPI) -> bytes:
    """Build the bytes of the document once, since anonymous callers may request it at any rate."""
    return JsonResponse(openapi(api)).content


def json_view(request: HttpRequest, api: NinjaAPI) -> HttpResponse:
    """Return the OpenAPI document."""
    return HttpResponse(content(api), content_type="application/json")


def page_view(request: HttpRequest, api: NinjaAPI) -> HttpResponse:
    """Show the page about the API."""
    return HttpResponse(page(api))


@cache
def page(api: NinjaAPI) -> bytes:
    """Build the page once: every operation with its parameters, body and answers, and the objects in them."""
    document = openapi(api)
    objects = {name: _fields(schema, document) for name, schema in document["components"]["schemas"].items()}
    shown = {"info": document["info"], "groups": _groups(document), "refusal": objects["Error"], "objects": objects}
    return render_to_string("api/docs.html", shown).encode()


def _explain(operation: dict[str, Any]) -> None:
    """Add to an operation its summary, the meaning of its refusals, and their headers."""
    if "description" in operation:
        operation["summary"] = operation["description"].split("\n")[0].rstrip(".")
    keyed = any(parameter["name"] == "Idempotency-Key" for parameter in operation["parameters"])
    refusals = documented_codes.of(
        operation["operationId"],
        [number for number in map(int, operation["responses"]) if number in MEANINGS],
        user=401 in map(int, operation["responses"]),
        body="requestBody" in operation,
        keyed=keyed,
    )
    for status, found in operation["responses"].items():
        number = int(status)
        if number in MEANINGS:
            found["description"] = f"{MEANINGS[number]} Codes: {', '.join(refusals[number])}."
            found["x-codes"] = refusals[number]
        if number in WITH_RETRY_AFTER:
            found.setdefault("headers", {})["Retry-After"] = RETRY_AFTER
        if keyed and (number < 300 or number == 409):
            found.setdefault("headers", {})["Idempotent-Replayed"] = REPLAYED


def _groups(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Group the operations by their first tag, in the order of the document."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                tag = (operation.get("tags") or ["other"])[0]
                groups.setdefault(tag, []).append(_shown(path, method, operation, document))
    return groups


def _shown(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return {
        "path": path,
        "method": method.upper(),
        "id": operation["operationId"],
        "summary": operation.get("description") or operation["summary"],
        "needs_user": bool(operation.get("security")),
        "parameters": [{**p, "kind": _kind(p["schema"], document)} for p in operation["parameters"]],
        "body": _fields(body, document),
        "answers": [
            # Every refusal has the same fields, which are shown once.
            {
                "status": status,
                "meaning": found["description"],
                "fields": _fields(_schema(found), document) if int(status) < 400 else [],
            }
            for status, found in operation["responses"].items()
        ],
    }


def _schema(answer: dict[str, Any]) -> dict[str, Any] | None:
    content: dict[str, Any] = answer.get("content", {})
    found = content.get("application/json", {}).get("schema")
    return found if isinstance(found, dict) else None


def _fields(schema: dict[str, Any] | None, document: dict[str, Any]) -> list[dict[str, Any]]:
    """List the fields of an object's schema, one level deep."""
    resolved = _resolved(schema or {}, document)
    required = resolved.get("required", [])
    return [
        {
            "name": name,
            "kind": _kind(found, document),
            "required": name in required,
            "description": found.get("description", ""),
        }
        for name, found in resolved.get("properties", {}).items()
    ]


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    schema = schema["allOf"][0] if len(schema.get("allOf", [])) == 1 else schema
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return found


def _kind(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """Return a short name for the type of a field."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(part, document) for part in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "$ref" in schema or "allOf" in schema:
        resolved = _resolved(schema, document)
        return _kind(resolved, document) if "enum" in resolved else str(resolved.get("title", "object"))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}), document)}"
    return str(schema.get("format") or schema.get("type", "any"))
