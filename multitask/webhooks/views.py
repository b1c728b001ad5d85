"""The endpoint that providers post to. Unless the event was stored, the response makes them post it again."""

import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from multitask.payments.provider import InvalidSignature
from multitask.webhooks import hints, incoming

log = structlog.get_logger(__name__)

LARGEST_BODY = 1_000_000
# By whether the event was stored before.
_TAKEN = {False: b'{"received": true, "duplicate": false}', True: b'{"received": true, "duplicate": true}'}


@csrf_exempt
def receive(request: HttpRequest, provider_name: str) -> HttpResponse:
    """Return 200 for a stored event, new or not; otherwise 400, 405, 413 or 503 with the usual error body."""
    if request.method != "POST":
        return _refuse(405, "method_not_allowed", "Post the event here.", Allow="POST")
    try:
        body = _body(request)
        received = incoming.receive(
            provider_name=provider_name,
            body=body,
            headers=dict(request.headers),
            query=request.GET.dict(),
            now=timezone.now(),
        )
    except RequestDataTooBig:
        return _refuse(413, "body_too_large", f"The body is larger than {LARGEST_BODY} bytes.")
    except UnreadablePostError:
        return _refuse(400, "body_unreadable", "The body ended early.")
    except InvalidSignature as error:
        log.warning("webhook refused", code=error.code)
        return _refuse(400, error.code, error.message)
    except Error as error:
        log.warning("webhook not stored", error=type(error).__name__)
        return _refuse(503, "try_again", "The event could not be stored; please send it again.", Retry_After="5")
    return HttpResponse(_TAKEN[received.is_duplicate], content_type="application/json")


@csrf_exempt
def hint(request: HttpRequest, provider_name: str) -> HttpResponse:
    """Take an unsigned callback about a payout; the response is the same whatever it says."""
    if request.method != "POST":
        return _refuse(405, "method_not_allowed", "Post the event here.", Allow="POST")
    try:
        hints.take(provider_name=provider_name, body=_body(request), now=timezone.now())
    except RequestDataTooBig:
        return _refuse(413, "body_too_large", f"The body is larger than {LARGEST_BODY} bytes.")
    except UnreadablePostError:
        return _refuse(400, "body_unreadable", "The body ended early.")
    except Error as error:
        log.warning("hint not stored", error=type(error).__name__)
        return _refuse(503, "try_again", "The event could not be stored; please send it again.", Retry_After="5")
    return JsonResponse({"received": True})


def _body(request: HttpRequest) -> bytes:
    """Return the raw bytes; refuse a declared length above the limit before reading."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    is_number = declared.isascii() and declared.isdecimal() and len(declared) < 20
    if is_number and int(declared) > LARGEST_BODY:
        raise RequestDataTooBig
    return request.body


def _refuse(status: int, code: str, message: str, **headers: str) -> HttpResponse:
    response = JsonResponse({"error": message, "code": code, "detail": message, "fields": {}}, status=status)
    for name, value in headers.items():
        response[name.replace("_", "-")] = value
    return response
