"""Payout details: what is still missing, where withdrawals go, and who the payee is by law; masked throughout."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from multitask.errors import DomainError
from multitask.payments.errors import NotFound
from multitask.payments.escrow import refund_payouts
from multitask.payments.models import PayoutDestination
from multitask.payments.payouts import destination_rules, destinations, egyptian_banks, identity
from multitask.payments.payouts.destinations import Missing, MissingReason
from multitask.payments.provider.destinations import DestinationKind
from multitask.users import owner_proof
from multitask.users.models import User
from multitask.users.powers import ProofNeeded
from multitask.web import step_up
from multitask.web.pages.base.rendering import UNPROCESSABLE, actor_of, render_page, signed_in, user_of
from multitask.web.pages.payouts.destination_forms import FORMS, ISSUERS, IdentityForm, ProofForm
from multitask.web.pages.templatetags.money import day

CURRENCY: Final = destination_rules.CURRENCIES[0]
_MISSING: Final = {
    MissingReason.IDENTITY_MISSING: gettext_lazy("Enter your legal name and your national ID number."),
    MissingReason.IDENTITY_UNCONFIRMED: gettext_lazy(
        "Our staff confirms who you are. We write to you once it is done."
    ),
    MissingReason.IDENTITY_REJECTED: gettext_lazy("Your identity could not be confirmed. Correct what you entered."),
    MissingReason.DESTINATION_MISSING: gettext_lazy("Choose where your money goes."),
}
# Clients are paid refunds alone, which take no identity.
_OF_DESTINATIONS: Final = frozenset({MissingReason.DESTINATION_MISSING, MissingReason.DESTINATION_COOLING_DOWN})
# What ends without the payee.
_BY_ITSELF: Final = frozenset({MissingReason.IDENTITY_UNCONFIRMED, MissingReason.DESTINATION_COOLING_DOWN})
_TITLES: Final = {
    DestinationKind.BANK: gettext_lazy("Add a bank account"),
    DestinationKind.WALLET: gettext_lazy("Add a mobile wallet"),
    DestinationKind.INSTAPAY: gettext_lazy("Add an account for InstaPay"),
}


@dataclass(frozen=True, slots=True)
class DestinationView:
    """A destination for display: `name` says what it is, `when` from when or until when it is used."""

    destination: PayoutDestination
    name: str
    is_in_use: bool
    when: str


def view(destination: PayoutDestination, now: datetime) -> DestinationView:
    """Return the view of a destination."""
    is_in_use = destination.is_in_use(now)
    when = ""
    if not is_in_use:
        when = _("Used from %(day)s on") % {"day": day(destination.usable_from)}
    elif destination.retired_at is not None:
        when = _("Used until %(day)s") % {"day": day(destination.retired_at)}
    return DestinationView(destination, name_of(destination), is_in_use, when)


def name_of(destination: PayoutDestination) -> str:
    """Return what a destination is, in the reader's language and without its number."""
    if destination.kind == DestinationKind.WALLET.value:
        return str(ISSUERS.get(destination.issuer, destination.issuer))
    bank = egyptian_banks.name(destination.bank_code, get_language() or "en")
    return _("InstaPay, %(bank)s") % {"bank": bank} if destination.kind == DestinationKind.INSTAPAY.value else bank


def sentence(missing: Missing, *, is_client: bool = False) -> str:
    """Return what a missing thing means for the reader; `is_client` for one who is paid refunds alone."""
    if missing.until is None:
        return str(_MISSING[missing.reason])
    values = {"day": day(missing.until)}
    if is_client:
        return _("Your refund leaves from %(day)s on: new details have to wait.") % values
    return _("Withdrawals leave from %(day)s on: new details have to wait.") % values


def summary(user: User, now: datetime) -> dict[str, Any] | None:
    """Return what the wallet shows of the payout details; None for users who are not paid that way."""
    if not user.is_freelancer or not destinations.is_offered(CURRENCY):
        return None
    return _state(user, now)


def _state(user: User, now: datetime) -> dict[str, Any]:
    found = destinations.missing(user_id=user.pk, currency=CURRENCY, now=now)
    missing = [one for one in found if user.is_freelancer or one.reason in _OF_DESTINATIONS]
    live = destinations.listed(user_id=user.pk, currency=CURRENCY, now=now)
    return {
        "missing": [sentence(one, is_client=not user.is_freelancer) for one in missing],
        "is_to_do": any(one.reason not in _BY_ITSELF for one in missing),
        "destinations": [view(destination, now) for destination in live],
    }


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """Show what is missing, the destinations and the identity; to clients only if a refund is paid out to them."""
    user = user_of(request)
    state = _state(user, timezone.now())
    if not (user.is_freelancer or state["destinations"] or refund_payouts.is_expected(user.pk)):
        return redirect("pages:wallet")
    if refund_payouts.needs_other_destination(user.pk, timezone.now()):
        state |= {"missing": [*state["missing"], _("Your refund is too small or too large for it. Add another way.")]}
        state["is_to_do"] = True
    context = {
        **state,
        "needs_identity": user.is_freelancer,
        "identity": identity.current(user.pk),
        "additions": [(kind.value, title) for kind, title in _TITLES.items()],
    }
    return render_page(request, "payouts/details.html", context)


@require_http_methods(["GET", "POST"])
@signed_in
@sensitive_post_parameters()
def add(request: HttpRequest, kind: str) -> HttpResponse:
    """Ask for the details of a destination; on POST, add it."""
    if kind not in set(DestinationKind):
        raise Http404
    chosen = DestinationKind(kind)
    form = FORMS[chosen](_sent(request), needs_password=_needs_password(request))

    def command() -> str:
        added = destinations.add(
            actor=actor_of(request),
            currency=CURRENCY,
            kind=kind,
            given=form.details(),
            proof=step_up.owner_proof(request, form.given_password),
            now=timezone.now(),
        )
        _hint(request, added, form.cleaned_data.get("msisdn", ""))
        return _("Saved. It is used from %(day)s on.") % {"day": day(added.usable_from)}

    user, now = user_of(request), timezone.now()
    context = {
        "title": _TITLES[chosen],
        "kind": kind,
        "has_one": bool(destinations.listed(user_id=user.pk, currency=CURRENCY, now=now)),
        "is_freelancer": user.is_freelancer,
        "usable_from": destinations.usable_from(now),
    }
    return _change(request, form, command, "payouts/details_add.html", context)


def _hint(request: HttpRequest, added: PayoutDestination, msisdn: str) -> None:
    """Point out a number whose prefix another issuer usually has; people keep numbers, so it may well be right."""
    usual = destination_rules.unusual_issuer(added.issuer, msisdn) if msisdn else ""
    if usual:
        hint = _(
            "Numbers like this one are usually with %(usual)s. Is the wallet right? If so, there is nothing to do."
        )
        messages.info(request, hint % {"usual": ISSUERS[usual]})


@require_http_methods(["GET", "POST"])
@signed_in
@sensitive_post_parameters()
def submit_identity(request: HttpRequest) -> HttpResponse:
    """Ask for the legal name and the national id number; on POST, submit them."""
    form = IdentityForm(_sent(request), needs_password=_needs_password(request))

    def command() -> str:
        identity.submit(
            actor=actor_of(request),
            legal_name=form.cleaned_data["legal_name"],
            national_id=form.cleaned_data["national_id"],
            proof=step_up.owner_proof(request, form.given_password),
            now=timezone.now(),
        )
        return _("Saved. Our staff confirms it, and we write to you once it is done.")

    context = {"identity": identity.current(user_of(request).pk)}
    return _change(request, form, command, "payouts/details_identity.html", context)


@require_http_methods(["GET", "POST"])
@signed_in
@sensitive_post_parameters()
def remove(request: HttpRequest, destination_id: uuid.UUID) -> HttpResponse:
    """Show what removing a destination means; on POST, remove it."""
    user, now = user_of(request), timezone.now()
    try:
        destination = destinations.own(user_id=user.pk, destination_id=destination_id)
    except NotFound as refusal:
        raise Http404 from refusal
    form = ProofForm(_sent(request), needs_password=_needs_password(request))

    def command() -> str:
        proof = step_up.owner_proof(request, form.given_password)
        destinations.remove(actor=actor_of(request), destination_id=destination_id, proof=proof, now=now)
        return _("Removed. Nothing is paid out there any more.")

    others = [one for one in destinations.listed(user_id=user.pk, currency=CURRENCY, now=now) if one != destination]
    context = {
        "shown": view(destination, now),
        "others": [view(one, now) for one in others],
        "is_freelancer": user.is_freelancer,
    }
    return _change(request, form, command, "payouts/details_remove.html", context)


def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _needs_password(request: HttpRequest) -> bool:
    return owner_proof.needs_password(user_of(request).pk)


def _change(
    request: HttpRequest, form: ProofForm, command: Callable[[], str], template: str, context: dict[str, Any]
) -> HttpResponse:
    """Ask for a code first if one is needed, show the form, or run its command and return to the details.

    Unlike other forms this one is not carried along in an address: what was typed stays out of addresses.
    """
    try:
        step_up.require_fresh(request, user_of(request), timezone.now())
        if form.is_bound and form.is_valid():
            messages.success(request, command())
            return redirect("pages:payout-details")
    except ProofNeeded:
        return redirect(f"{reverse('pages:prove')}?{urlencode({'next': request.path})}")
    except DomainError as refusal:
        form.refuse(refusal)
    return render_page(request, template, {**context, "form": form}, status=UNPROCESSABLE if form.errors else 200)


urlpatterns = [
    path("payout-details/", show, name="payout-details"),
    path("payout-details/identity/", submit_identity, name="payout-details-identity"),
    path("payout-details/add/<str:kind>/", add, name="payout-details-add"),
    path("payout-details/<uuid:destination_id>/remove/", remove, name="payout-details-remove"),
]
