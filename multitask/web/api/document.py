"""The OpenAPI document and the page that shows it, without anything from another host."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi import get_schema

METHODS = ("get", "post", "put", "patch", "delete")


@cache
def openapi(api: NinjaAPI) -> dict[str, Any]:
    """Build the document once; nothing in it changes while the process runs."""
    return dict(get_schema(api, path_prefix=""))


def json_view(request: HttpRequest, api: NinjaAPI) -> JsonResponse:
    """Answer with the OpenAPI document."""
    return JsonResponse(openapi(api))


def page_view(request: HttpRequest, api: NinjaAPI) -> HttpResponse:
    """Show every operation with its parameters, body and answers."""
    document = openapi(api)
    return render(request, "api/docs.html", {"info": document["info"], "groups": _groups(document)})


def _groups(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Sort the operations by their first tag, in the order of the document."""
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
            {"status": status, "meaning": found["description"], "fields": _fields(_schema(found), document)}
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
    """Name the type of a field in few words."""
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
