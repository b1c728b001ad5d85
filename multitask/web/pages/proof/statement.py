"""The public page about one signed statement, the earlier ones, and everything that there is to download."""

import base64
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from multitask import database
from multitask.money import Money
from multitask.payments.books.proof import keys, owed, statements
from multitask.payments.models import ProofStatement
from multitask.web.pages.base.rendering import render_page

PER_PAGE: Final = 20
_LONGEST_NUMBER: Final = 9
VERIFIER: Final = Path(settings.ROOT) / "tools" / "verify_proof.py"


@dataclass(frozen=True, slots=True)
class CurrencyView:
    """What is owed and held in one currency; `margin` is what is held beyond what is owed, negative if too little."""

    currency: str
    owed: Money
    held: Money
    held_parts: list[tuple[str, Money]]
    reported_at: datetime | None
    margin: Money
    parts: list[tuple[str, Money]]
    leaves: int
    root: str | None

    @property
    def is_covered(self) -> bool:
        """Whether no more is owed than held."""
        return self.margin.amount_minor >= 0

    @property
    def missing(self) -> Money:
        """What is owed beyond what is held."""
        return -self.margin


@require_safe
@database.snapshot
def show(request: HttpRequest) -> HttpResponse:
    """Show the newest statement and a page of the earlier ones."""
    newest = statements.newest()
    if newest is None:
        return render_page(request, "proof/none_yet.html")
    before = _before(request) or newest.number
    earlier = list(statements.listed().filter(number__lt=before)[: PER_PAGE + 1])
    pager = {
        "newer": reverse("pages:proof") if before < newest.number else "",
        "older": f"?before={earlier[PER_PAGE - 1].number}" if len(earlier) > PER_PAGE else "",
    }
    listing = {"earlier": earlier[:PER_PAGE], "pager": pager, "is_newest": True}
    return render_page(request, "proof/statement.html", {**_context(newest), **listing})


@require_safe
def show_one(request: HttpRequest, number: int) -> HttpResponse:
    """Show one statement."""
    return render_page(request, "proof/statement.html", _context(_found(number)))


@require_safe
def download_signed(request: HttpRequest, number: int) -> HttpResponse:
    """Download a statement with signature and public key, as verify_proof.py reads it."""
    response = JsonResponse(statements.signed(_found(number)), json_dumps_params={"indent": 1})
    return _attached(response, f"proof-{number}.json")


@require_safe
def download_text(request: HttpRequest, number: int) -> HttpResponse:
    """Download exactly the text that was signed."""
    return _attached(HttpResponse(_found(number).text, content_type="application/json"), f"statement-{number}.json")


@require_safe
def download_signature(request: HttpRequest, number: int) -> HttpResponse:
    """Download the signature, 64 bytes."""
    content = base64.b64decode(_found(number).signature)
    return _attached(HttpResponse(content, content_type="application/octet-stream"), f"statement-{number}.sig")


@require_safe
def download_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """Download a public key as a PEM file: the present one, or one of an earlier signing key."""
    for public in keys.published():
        if keys.key_id(public) == key_id:
            response = HttpResponse(keys.pem(public), content_type="application/x-pem-file")
            return _attached(response, f"key-{key_id}.pem")
    raise Http404


@require_safe
def download_verifier(request: HttpRequest) -> HttpResponse:
    """Download the program that verifies proofs without us."""
    return _attached(HttpResponse(VERIFIER.read_bytes(), content_type="text/x-python; charset=utf-8"), VERIFIER.name)


def _found(number: int) -> ProofStatement:
    found = statements.listed().filter(number=number).first() if len(str(number)) <= _LONGEST_NUMBER else None
    if found is None:
        raise Http404
    return found


def _before(request: HttpRequest) -> int | None:
    written = request.GET.get("before", "")
    return int(written) if written.isascii() and written.isdigit() and len(written) <= _LONGEST_NUMBER else None


def _attached(response: HttpResponse, name: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _context(statement: ProofStatement) -> dict[str, Any]:
    content = statements.document(statement)
    currencies = [_view(each) for each in content["currencies"]]
    return {
        "statement": statement,
        "content": content,
        "currencies": currencies,
        "is_covered": all(each.is_covered for each in currencies),
        "key_id": keys.key_id(statement.public_key),
        "key_ids": [keys.key_id(public) for public in keys.published()],
    }


def _view(each: dict[str, Any]) -> CurrencyView:
    code, labels = each["currency"], _labels()
    return CurrencyView(
        currency=code,
        owed=Money(each["owed"], code),
        held=Money(each["held"], code),
        held_parts=_held_parts(each),
        reported_at=datetime.fromisoformat(each["reported_at"]) if each.get("reported_at") else None,
        margin=Money(each["held"] - each["owed"], code),
        parts=[(labels[kind], Money(minor, code)) for kind, minor in each["owed_by_kind"].items()],
        leaves=each["leaves"],
        root=each["root"],
    )


def _held_parts(each: dict[str, Any]) -> list[tuple[str, Money]]:
    """Return where each part of what is held is known from; nothing for statements of version 1."""
    words = {
        "held_reported": _("Reported by the payment providers"),
        "held_in_flight": _("On its way then, not final or not booked yet"),
        "held_since": _("Moved since then, by our books"),
        "held_unreported": _("In accounts that they do not report, by our books"),
    }
    return [(label, Money(each[name], each["currency"])) for name, label in words.items() if name in each]


def _labels() -> dict[str, str]:
    """Return a label for each kind of `owed.KINDS`."""
    words = (
        _("In escrow"),
        _("Contested by a bank"),
        _("Pending"),
        _("Available"),
        _("On its way to banks"),
        _("Refunds on their way"),
        _("Payments that fit no escrow"),
    )
    return dict(zip(owed.KINDS, words, strict=True))


urlpatterns = [
    path("proof/", show, name="proof"),
    path("proof/verify_proof.py", download_verifier, name="proof-verifier"),
    path("proof/keys/<str:key_id>.pem", download_key, name="proof-key"),
    path("proof/<int:number>/", show_one, name="proof-statement"),
    path("proof/<int:number>/signed.json", download_signed, name="proof-signed"),
    path("proof/<int:number>/statement.json", download_text, name="proof-text"),
    path("proof/<int:number>/statement.sig", download_signature, name="proof-signature"),
]
