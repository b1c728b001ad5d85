"""Stripe as a payment provider: separate charges and transfers on Connect.

Clients pay the platform, the platform transfers to the freelancer's connected account, and payouts from
there to the bank are manual. Files by concern: accounts, payments, methods, transfers, disputes, evidence,
fraud_warnings, statement; webhooks here.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from multitask.payments.provider import (
    NO_QUERY,
    PROTOCOLS,
    AmountRules,
    Capabilities,
    Disburses,
    Embedded,
    IdKind,
    InboundEvent,
    OffersSavedCards,
    RouteKind,
)
from multitask.providers.stripe import currencies, events, identifiers, shown_fields, signatures, supported_currencies
from multitask.providers.stripe.accounts import Accounts
from multitask.providers.stripe.disputes import Disputes
from multitask.providers.stripe.evidence import Evidence
from multitask.providers.stripe.fraud_warnings import FraudWarnings
from multitask.providers.stripe.methods import Methods
from multitask.providers.stripe.statement import Statements
from multitask.providers.stripe.transfers import Transfers

# Stripe keeps a key for at least 24 hours; the hour less is for clocks and for a call that is under way.
KEY_LIFETIME: Final = timedelta(hours=23)
SIGNATURE_HEADER: Final = "stripe-signature"


class StripeProvider(Accounts, Disputes, Evidence, FraudWarnings, Methods, Statements, Transfers):
    """Stripe, or the sandbox at another base address, as a payment provider."""

    name: str = "stripe"

    @cached_property
    def capabilities(self) -> Capabilities:
        """What Stripe can do for a platform of this country."""
        platform = self._configuration.platform_country.upper()
        return Capabilities(
            supports=frozenset(PROTOCOLS) - {Disburses, OffersSavedCards},
            kinds=frozenset({RouteKind.CONNECTED}),
            currencies=supported_currencies.currencies(platform),
            countries=supported_currencies.self_serve(platform),
            continuation=Embedded,
            key_lifetime=KEY_LIFETIME,
            finds_by_reference=True,
            longest_hold=supported_currencies.longest_hold(platform),
            shown_fields=shown_fields.SHOWN,
            last_four_fields=shown_fields.LAST_FOUR,
        )

    def require_answering(self) -> None:
        """Raise Unavailable while calls are refused since Stripe has stopped answering."""
        self.guard.breaker.require_closed()

    def amount_rules(self, currency: str) -> AmountRules:
        """Return the rules for amounts of a currency."""
        return currencies.rules(currency)

    def kinds_of_id(self, object_id: str) -> frozenset[IdKind]:
        """Return the kind of object that an id identifies."""
        kind = identifiers.kind_of(object_id)
        return frozenset() if kind is None else frozenset({kind})

    def verify_webhook(
        self,
        *,
        body: bytes,
        headers: Mapping[str, str],
        endpoint: str,
        now: datetime,
        query: Mapping[str, str] = NO_QUERY,
    ) -> InboundEvent:
        """Check a webhook's signature and return what it is about; `endpoint` is "platform", "connect" or ""."""
        secrets = {
            events.PLATFORM: self._configuration.webhook_secret,
            events.CONNECT: self._configuration.connect_webhook_secret,
        }
        if endpoint:
            secrets = {endpoint: secrets[endpoint]}
        signature = next((value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER), "")
        signed_by = signatures.verified_secrets(body=body, header=signature, secrets=secrets, now=now)
        return events.read(body, signed_by=signed_by, live=self._configuration.is_live)
