"""Freelancers' accounts: controller accounts with an Express dashboard and manual payouts."""

from datetime import UTC, datetime
from typing import Any, Final

import stripe

from multitask.money import Money
from multitask.payments.provider import (
    AccountBalance,
    AccountState,
    OnboardingLink,
    Rejected,
    Rejection,
    Requirement,
    Search,
    converted,
)
from multitask.providers.stripe import currencies, requirements, supported_currencies
from multitask.providers.stripe.client import PAGE_SIZE, Caller, Raw, made_since, reference_of
from multitask.providers.stripe.errors import ACCOUNT_INVALID

CONTROLLER: stripe.params.AccountCreateParamsController = {
    "stripe_dashboard": {"type": "express"},
    "fees": {"payer": "application"},
    "losses": {"payments": "application"},
    "requirement_collection": "stripe",
}

_REJECTED: Final = "rejected."
_REJECTIONS: Final = {
    "fraud": Rejection.FRAUD,
    "terms_of_service": Rejection.TERMS,
    "listed": Rejection.LISTED,
    "incomplete_verification": Rejection.UNVERIFIED,
    "platform_fraud": Rejection.PLATFORM,
    "platform_other": Rejection.PLATFORM,
    "platform_terms_of_service": Rejection.PLATFORM,
}


class Accounts(Caller):
    """Calls about connected accounts."""

    def create_account(self, *, reference: str, email: str, country: str, currency: str, key: str) -> AccountState:
        """Create an account that can receive transfers, with manual payouts."""
        params: stripe.params.AccountCreateParams = {
            "controller": CONTROLLER,
            "country": country.upper(),
            "default_currency": currency.lower(),
            "capabilities": {"transfers": {"requested": True}},
            "settings": {"payouts": {"schedule": {"interval": "manual"}}},
            "metadata": {"reference": reference},
        }
        if email:
            params["email"] = email
        if self._is_full_agreement(country.upper()):
            # Under the full agreement Stripe grants transfers alone only to platforms that it approved for that.
            params["capabilities"]["card_payments"] = {"requested": True}
        else:
            params["tos_acceptance"] = {"service_agreement": "recipient"}
        return account_state(self._read(lambda: self._client.v1.accounts.create(params, {"idempotency_key": key})))

    def read_account(self, account_id: str) -> AccountState:
        """Read an account; one that has left the platform is returned as closed."""
        try:
            return account_state(self._read(lambda: self._client.v1.accounts.retrieve(account_id)))
        except Rejected as refusal:
            if refusal.code != ACCOUNT_INVALID:
                raise
            return _closed(account_id)

    def find_account(self, *, reference: str, since: datetime) -> Search[AccountState]:
        """Find the account made for a reference."""
        params: stripe.params.AccountListParams = {"limit": PAGE_SIZE, "created": made_since(since)}
        return converted(self._find(lambda: self._client.v1.accounts.list(params), reference), account_state)

    def create_onboarding_link(self, *, account_id: str, refresh_url: str, return_url: str) -> OnboardingLink:
        """Create a link for the account's owner that works once and expires after minutes."""
        raw = self._read(
            lambda: self._client.v1.account_links.create(
                {
                    "account": account_id,
                    "type": "account_onboarding",
                    "refresh_url": refresh_url,
                    "return_url": return_url,
                }
            )
        )
        return OnboardingLink(url=raw["url"], expires_at=datetime.fromtimestamp(raw["expires_at"], UTC))

    def create_login_link(self, account_id: str) -> str:
        """Create a link to the account's Express dashboard that works once."""
        return str(self._read(lambda: self._client.v1.accounts.login_links.create(account_id))["url"])

    def close_account(self, *, account_id: str, key: str) -> AccountState:
        """Delete an account, which Stripe allows while its balances are zero."""
        try:
            self._read(lambda: self._client.v1.accounts.delete(account_id, None, {"idempotency_key": key}))
        except Rejected as refusal:
            # The answer of an earlier attempt may have been lost.
            if refusal.code != ACCOUNT_INVALID or not self.read_account(account_id).closed:
                raise
        return _closed(account_id)

    def bank_currency(self, country: str) -> str:
        """Return the currency of bank accounts in a country that this platform can pay to, or ""."""
        return supported_currencies.of_country(country) if self._is_full_agreement(country) else ""

    def read_account_balance(self, account_id: str, currency: str) -> AccountBalance:
        """Read what Stripe holds for a connected account in one currency."""
        raw = self._read(lambda: self._client.v1.balance.retrieve(None, {"stripe_account": account_id}))
        return balance_of(raw, currency)

    def requirement(self, name: str) -> Requirement | None:
        """Return the requirement that a field name in an account's requirements stands for."""
        return requirements.of(name)

    def _is_full_agreement(self, country: str) -> bool:
        return country in supported_currencies.self_serve(self._configuration.platform_country.upper())


def account_state(raw: Raw) -> AccountState:
    """Translate an account."""
    requirements = raw.get("requirements") or {}
    banks = (raw.get("external_accounts") or {}).get("data") or ()
    due = [*(requirements.get("past_due") or ()), *(requirements.get("currently_due") or ())]
    return AccountState(
        id=raw["id"],
        country=raw.get("country") or "",
        currency=(raw.get("default_currency") or "").upper(),
        charges_enabled=bool(raw.get("charges_enabled")),
        payouts_enabled=bool(raw.get("payouts_enabled")),
        transfers_enabled=(raw.get("capabilities") or {}).get("transfers") == "active",
        details_submitted=bool(raw.get("details_submitted")),
        bank_currencies=tuple(sorted({bank["currency"].upper() for bank in banks})),
        requirements_due=tuple(dict.fromkeys(due)),
        requirements_pending=tuple(requirements.get("pending_verification") or ()),
        disabled_reason=requirements.get("disabled_reason") or "",
        rejection=_rejection(requirements.get("disabled_reason") or ""),
        reference=reference_of(raw),
    )


def _rejection(disabled_reason: str) -> Rejection | None:
    """Return why Stripe, or this platform by Stripe's API, has rejected an account; None while it has not."""
    if not disabled_reason.startswith(_REJECTED):
        return None
    return _REJECTIONS.get(disabled_reason.removeprefix(_REJECTED), Rejection.OTHER)


def _closed(account_id: str) -> AccountState:
    return AccountState(
        id=account_id,
        country="",
        currency="",
        charges_enabled=False,
        payouts_enabled=False,
        transfers_enabled=False,
        details_submitted=False,
        disabled_reason=ACCOUNT_INVALID,
        closed=True,
    )


def balance_of(raw: Raw, currency: str) -> AccountBalance:
    """Return the part of a balance that is in one currency."""
    return AccountBalance(
        available=_sum_of(raw.get("available"), currency),
        pending=_sum_of(raw.get("pending"), currency),
        reserved=_sum_of(raw.get("connect_reserved"), currency),
    )


def _sum_of(funds: list[dict[str, Any]] | None, currency: str) -> Money:
    wanted = currency.lower()
    amount = sum(fund["amount"] for fund in funds or () if fund["currency"] == wanted)
    return currencies.from_stripe(amount, currency)
