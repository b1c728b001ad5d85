"""Withdrawals: the amount, the confirmation, the list, and the state of one withdrawal.

The request key makes one withdrawal of a form that is sent several times.
"""

import uuid
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from multitask.database import OutcomeUnknown
from multitask.errors import DomainError
from multitask.money import Currency, Money, MoneyError
from multitask.payments.authorization import access
from multitask.payments.models import ConnectedAccount, Withdrawal
from multitask.payments.operations import amounts
from multitask.payments.payouts import onboarding, withdrawals
from multitask.payments.reads import previews
from multitask.payments.states import WithdrawalState
from multitask.web.pages.base import dates, error_messages, labels
from multitask.web.pages.base.fields import AmountField
from multitask.web.pages.base.rendering import UNPROCESSABLE, actor_of, render_page, request_key, signed_in, user_of
from multitask.web.pages.base.step_up_redirect import require_step_up
from multitask.web.pages.templatetags.money import money

PER_PAGE: Final = 20
_UNDER_WAY: Final = (WithdrawalState.PENDING.value, WithdrawalState.PROCESSING.value)


@dataclass(frozen=True, slots=True)
class WithdrawalView:
    """A withdrawal for display, with why it failed."""

    withdrawal: Withdrawal
    failure: str
    needs_bank_details: bool

    @property
    def is_under_way(self) -> bool:
        """Return whether its state will still change without the owner."""
        return self.withdrawal.state in _UNDER_WAY


def view(withdrawal: Withdrawal) -> WithdrawalView:
    """Return the view of a withdrawal."""
    is_failed = withdrawal.state == WithdrawalState.FAILED.value
    failure = labels.failed_withdrawal(withdrawal) if is_failed else ""
    return WithdrawalView(withdrawal, failure, is_failed and labels.needs_bank_details(withdrawal))


class WithdrawForm(forms.Form):
    """The amount to withdraw, in one currency."""

    def __init__(self, *args: Any, available: Money, account: ConnectedAccount | None, **options: Any) -> None:
        """Add the amount field in the currency of the available balance."""
        super().__init__(*args, **options)
        self.available, self.account = available, account
        label = _("Amount in %(currency)s") % {"currency": available.currency}
        self.fields["amount"] = AmountField(currency=available.currency, label=label)

    def clean_amount(self) -> Money:
        """Reject more than the available balance, and amounts that banks do not pay. Raises ValidationError."""
        amount: Money = self.cleaned_data["amount"]
        if amount > self.available:
            raise forms.ValidationError(_("Your available balance does not cover this amount."))
        if self.account is None or not self.account.has_bank_for(amount.currency):
            return amount  # The page says what is missing, and the command refuses.
        if amount < (least := amounts.least_payout(self.account.provider, amount.currency)):
            raise forms.ValidationError(_("The least that can be paid out is %(amount)s.") % {"amount": money(least)})
        if amount != (largest := previews.payable(self.account, amount)):
            sentence = _("Banks take %(currency)s in whole steps only; the nearest amount below is %(amount)s.")
            raise forms.ValidationError(sentence % {"currency": amount.currency, "amount": money(largest)})
        return amount


def _currency(request: HttpRequest) -> str:
    """Return the currency that is asked for, else the user's default."""
    wanted = request.GET.get("currency") or request.POST.get("currency") or ""
    try:
        return Currency.of(wanted).code
    except MoneyError:
        return user_of(request).default_currency


def _key(request: HttpRequest) -> str:
    """Return the request key in the address: going back and forward in the browser keeps the same key."""
    try:
        return str(uuid.UUID(request.GET.get("request_key", "")))
    except ValueError:
        return str(uuid.uuid4())


@require_GET
@signed_in
def ask_amount(request: HttpRequest) -> HttpResponse:
    """Ask for the amount."""
    initial = {"amount": request.GET.get("amount", "")[:40]}
    return _render_form(request, _withdraw_form(request, initial=initial))


def _withdraw_form(request: HttpRequest, *args: Any, **options: Any) -> WithdrawForm:
    user_id = user_of(request).pk
    available = previews.available(user_id, _currency(request))
    return WithdrawForm(*args, available=available, account=onboarding.account_of(user_id), **options)


def _render_form(request: HttpRequest, form: WithdrawForm, *, status: int = 200) -> HttpResponse:
    account = form.account
    under_way = access.visible_withdrawals(actor_of(request)).filter(state__in=_UNDER_WAY).order_by("-pk")[:3]
    context = {
        "form": form,
        "available": form.available,
        "most": previews.payable(account, form.available),
        "can_withdraw": account is not None and account.onboarding_completed,
        "has_bank": account is not None and account.has_bank_for(form.available.currency),
        "under_way": list(under_way),
    }
    return render_page(request, "payouts/withdraw.html", context, status=status)


@require_http_methods(["GET", "POST"])
@signed_in
@require_step_up()
def confirm(request: HttpRequest) -> HttpResponse:
    """Show what the withdrawal will do; on POST, create it."""
    return _create(request) if request.method == "POST" else _preview(request)


def _preview(request: HttpRequest) -> HttpResponse:
    key = _key(request)
    earlier = access.visible_withdrawals(actor_of(request)).filter(request_key=key).first()
    if earlier is not None:
        messages.info(request, _("This withdrawal was asked for already. It is not asked for twice."))
        return redirect("pages:withdrawal", withdrawal_id=earlier.public_id)
    form = _withdraw_form(request, request.GET)
    if not form.is_valid():
        return _render_form(request, form, status=UNPROCESSABLE)
    try:
        preview = previews.withdrawal(
            actor=actor_of(request),
            amount=form.cleaned_data["amount"],
            now=timezone.now(),
            zone=dates.reader_zone(),
        )
    except DomainError as refusal:
        form.add_error("amount" if refusal.code == "insufficient_funds" else None, error_messages.of(refusal))
        return _render_form(request, form, status=UNPROCESSABLE)
    return render_page(request, "payouts/withdraw_confirm.html", {"preview": preview, "request_key": key})


def _create(request: HttpRequest) -> HttpResponse:
    """Create the withdrawal; the same request key again returns the same withdrawal."""
    available = Money.zero(_currency(request))
    field, key = AmountField(currency=available.currency), request_key(request)
    written = request.POST.get("amount", "")[:40]
    again = urlencode({"currency": available.currency, "amount": written})
    try:
        amount = field.clean(written)
        withdrawal = withdrawals.create(actor=actor_of(request), amount=amount, now=timezone.now(), request_key=key)
    except forms.ValidationError as error:
        messages.error(request, " ".join(error.messages))
    except DomainError as refusal:
        messages.error(request, error_messages.of(refusal))
    except OutcomeUnknown:
        messages.warning(
            request, _("We do not know yet whether this took effect. Send it again: it is never done twice.")
        )
        return redirect(f"{reverse('pages:withdraw-confirm')}?{again}&{urlencode({'request_key': key})}")
    else:
        messages.success(request, _("Your withdrawal has begun."))
        return redirect("pages:withdrawal", withdrawal_id=withdrawal.public_id)
    return redirect(f"{reverse('pages:withdraw')}?{again}")


@require_GET
@signed_in
def list_withdrawals(request: HttpRequest) -> HttpResponse:
    """List all withdrawals, newest first."""
    found = access.visible_withdrawals(actor_of(request))
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        found = found.filter(pk__lt=int(before))
    rows = list(found.order_by("-pk")[: PER_PAGE + 1])
    older = f"?before={rows[PER_PAGE - 1].pk}" if len(rows) > PER_PAGE else ""
    context = {
        "withdrawals": [view(row) for row in rows[:PER_PAGE]],
        "pager": {"newer": reverse("pages:withdrawals") if before else "", "older": older},
    }
    return render_page(request, "payouts/withdrawals.html", context)


@require_GET
@signed_in
def show(request: HttpRequest, withdrawal_id: uuid.UUID) -> HttpResponse:
    """Show one withdrawal: its state, and why it failed."""
    found = access.visible_withdrawals(actor_of(request)).filter(public_id=withdrawal_id).first()
    if found is None:
        raise Http404
    template = "payouts/withdrawal_state.html" if request.htmx else "payouts/withdrawal.html"  # type: ignore[attr-defined]
    return render_page(request, template, {"view": view(found), "withdrawal": found})


urlpatterns = [
    path("wallet/withdraw/", ask_amount, name="withdraw"),
    path("wallet/withdraw/confirm/", confirm, name="withdraw-confirm"),
    path("wallet/withdrawals/", list_withdrawals, name="withdrawals"),
    path("wallet/withdrawals/<uuid:withdrawal_id>/", show, name="withdrawal"),
]
