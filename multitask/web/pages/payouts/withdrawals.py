"""Withdrawals: the amount, the confirmation, the list, and the state of one withdrawal.

The request key makes one withdrawal of a form that is sent several times.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
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
from multitask.payments.models import PayoutDestination, Withdrawal
from multitask.payments.payouts import withdrawal_cancellation, withdrawals
from multitask.payments.reads import previews, waiting_payouts
from multitask.payments.reads.waiting_payouts import Waiting, WaitingReason
from multitask.payments.states import WithdrawalState
from multitask.web.pages.base import dates, error_messages, labels
from multitask.web.pages.base.confirmation import Confirmation, Line, confirm_and_carry_out
from multitask.web.pages.base.fields import AmountField
from multitask.web.pages.base.rendering import UNPROCESSABLE, actor_of, render_page, request_key, signed_in, user_of
from multitask.web.pages.base.step_up_redirect import require_step_up
from multitask.web.pages.payouts import payout_details, withdrawal_rules
from multitask.web.pages.payouts.withdrawal_rules import WithdrawalRules
from multitask.web.pages.templatetags.money import money

PER_PAGE: Final = 20
# The worker allots the budget to a new withdrawal at once, and within a minute after a cool-down. Until then nobody
# knows whether the budget is short, so the page does not say so.
_ALLOTTED_WITHIN: Final = timedelta(seconds=90)
_UNDER_WAY: Final = (WithdrawalState.PENDING.value, WithdrawalState.PROCESSING.value)


@dataclass(frozen=True, slots=True)
class WithdrawalView:
    """A withdrawal for display, with why it failed, why it waits, and where a payout from the budget goes."""

    withdrawal: Withdrawal
    failure: str
    needs_bank_details: bool
    can_be_cancelled: bool
    waiting: Waiting | None
    destination: PayoutDestination | None
    destination_name: str

    @property
    def is_under_way(self) -> bool:
        """Return whether its state will still change without the owner."""
        return self.withdrawal.state in _UNDER_WAY

    @property
    def poll_seconds(self) -> int:
        """Return how often its page looks again: seldom while it waits."""
        return 3 if self.waiting is None else 30


def with_destinations(rows: QuerySet[Withdrawal]) -> QuerySet[Withdrawal]:
    """Read what `view` needs with the rows."""
    return waiting_payouts.with_payouts(rows)


def view(withdrawal: Withdrawal, *, waiting: Waiting | None = None) -> WithdrawalView:
    """Return the view of a withdrawal; `waiting` is why it waits, if that is known better than from its row."""
    now = timezone.now()
    waiting = waiting or waiting_payouts.of_withdrawal(withdrawal, now)
    destination = waiting_payouts.destination_of(withdrawal)
    is_failed = withdrawal.state == WithdrawalState.FAILED.value
    failure = labels.failed_withdrawal(withdrawal) if is_failed else ""
    return WithdrawalView(
        withdrawal,
        failure,
        is_failed and labels.needs_bank_details(withdrawal),
        withdrawal_cancellation.may_be_asked(withdrawal),
        None if _is_leaving(withdrawal, waiting, now) else waiting,
        destination,
        "" if destination is None else payout_details.name_of(destination),
    )


def _is_leaving(withdrawal: Withdrawal, waiting: Waiting | None, now: datetime) -> bool:
    """Return whether a withdrawal that waits for the budget has only just begun to."""
    payout = waiting_payouts.disbursement_of(withdrawal)
    if waiting is None or payout is None:
        return False
    return waiting.reason is WaitingReason.AWAITS_BUDGET and payout.usable_from > now - _ALLOTTED_WITHIN


class WithdrawForm(forms.Form):
    """The amount to withdraw, in one currency."""

    def __init__(self, *args: Any, rules: WithdrawalRules, **options: Any) -> None:
        """Add the amount field in the currency of the available balance."""
        super().__init__(*args, **options)
        self.rules = rules
        currency = rules.available.currency
        self.fields["amount"] = AmountField(
            currency=currency, label=_("Amount in %(currency)s") % {"currency": currency}
        )

    def clean_amount(self) -> Money:
        """Reject more than the available balance, and amounts that are not paid out. Raises ValidationError."""
        amount: Money = self.cleaned_data["amount"]
        if amount > self.rules.available:
            raise forms.ValidationError(_("Your available balance does not cover this amount."))
        if self.rules.missing or self.rules.least is None:
            return amount  # The page says what is missing, and the command refuses.
        if amount < self.rules.least:
            least = money(self.rules.least)
            raise forms.ValidationError(_("The least that can be paid out is %(amount)s.") % {"amount": least})
        if amount != (largest := self.rules.largest(amount)):
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
    rules = withdrawal_rules.of(user_of(request).pk, _currency(request), timezone.now())
    return WithdrawForm(*args, rules=rules, **options)


def _render_form(request: HttpRequest, form: WithdrawForm, *, status: int = 200) -> HttpResponse:
    under_way = access.visible_withdrawals(actor_of(request)).filter(state__in=_UNDER_WAY).order_by("-pk")
    destination = form.rules.destination
    context = {
        "form": form,
        "rules": form.rules,
        "available": form.rules.available,
        "most": form.rules.most,
        "unreachable": previews.unreachable(form.rules.account, form.rules.available),
        "destination_name": "" if destination is None else payout_details.name_of(destination),
        "under_way": [view(row) for row in with_destinations(under_way)[:3]],
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
    name = "" if preview.destination is None else payout_details.name_of(preview.destination)
    context = {"preview": preview, "request_key": key, "destination_name": name}
    return render_page(request, "payouts/withdraw_confirm.html", context)


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
        is_waiting = view(withdrawal).waiting is not None
        messages.success(request, _("Your withdrawal is saved.") if is_waiting else _("Your withdrawal has begun."))
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
    rows = list(with_destinations(found).order_by("-pk")[: PER_PAGE + 1])
    older = f"?before={rows[PER_PAGE - 1].pk}" if len(rows) > PER_PAGE else ""
    context = {
        "withdrawals": [view(row) for row in rows[:PER_PAGE]],
        "pager": {"newer": reverse("pages:withdrawals") if before else "", "older": older},
    }
    return render_page(request, "payouts/withdrawals.html", context)


def _found(request: HttpRequest, withdrawal_id: uuid.UUID) -> Withdrawal:
    found = access.visible_withdrawals(actor_of(request)).filter(public_id=withdrawal_id).first()
    if found is None:
        raise Http404
    return found


@require_GET
@signed_in
def show(request: HttpRequest, withdrawal_id: uuid.UUID) -> HttpResponse:
    """Show one withdrawal: its state, and why it failed."""
    found = _found(request, withdrawal_id)
    template = "payouts/withdrawal_state.html" if request.htmx else "payouts/withdrawal.html"  # type: ignore[attr-defined]
    shown = view(found, waiting=waiting_payouts.in_detail(found, timezone.now()))
    return render_page(request, template, {"view": shown, "withdrawal": found})


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def cancel(request: HttpRequest, withdrawal_id: uuid.UUID) -> HttpResponse:
    """Show what cancelling the withdrawal will do; once it is confirmed, cancel it or ask the provider to."""
    found = _found(request, withdrawal_id)
    return confirm_and_carry_out(
        request,
        _cancellation(found) if withdrawal_cancellation.may_be_asked(found) else None,
        lambda: withdrawal_cancellation.cancel(
            actor=actor_of(request), withdrawal_id=withdrawal_id, now=timezone.now()
        ),
        is_done=lambda: _is_cancellation_asked(request, withdrawal_id),
        done=_("You have cancelled the withdrawal. This page shows whether the money had left already."),
        back=reverse("pages:withdrawal", args=[withdrawal_id]),
    )


def _cancellation(withdrawal: Withdrawal) -> Confirmation:
    amount = money(withdrawal.amount)
    return Confirmation(
        title=_("Cancel the withdrawal"),
        about=_("Withdrawal to your bank") if withdrawal.account_id is not None else _("Withdrawal"),
        lines=(Line(_("Back in your wallet"), withdrawal.amount),),
        consequences=_cancelled_means(withdrawal, amount),
        warning=_("You can withdraw the money again at any time."),
        button=_("Cancel the withdrawal"),
        version=f"{withdrawal.state} {withdrawal.provider_status}",
        is_destructive=True,
    )


def _cancelled_means(withdrawal: Withdrawal, amount: str) -> tuple[str, ...]:
    if withdrawal.account_id is None:
        return (_("%(amount)s is not paid out and is available in your wallet again.") % {"amount": amount},)
    return (
        _("%(amount)s does not go to your bank and is available in your wallet again.") % {"amount": amount},
        _("If the money has left already, nothing changes: it arrives at your bank."),
    )


def _is_cancellation_asked(request: HttpRequest, withdrawal_id: uuid.UUID) -> bool:
    found = _found(request, withdrawal_id)
    return found.state == WithdrawalState.CANCELLED.value or (
        found.cancellation_asked_at is not None and found.cancellation_refused_at is None
    )


urlpatterns = [
    path("wallet/withdraw/", ask_amount, name="withdraw"),
    path("wallet/withdraw/confirm/", confirm, name="withdraw-confirm"),
    path("wallet/withdrawals/", list_withdrawals, name="withdrawals"),
    path("wallet/withdrawals/<uuid:withdrawal_id>/", show, name="withdrawal"),
    path("wallet/withdrawals/<uuid:withdrawal_id>/cancel/", cancel, name="withdrawal-cancel"),
]
