"""Paymob as a payment provider: the platform collects, holds, and pays out from a budget.

Clients pay by card, wallet or kiosk on Paymob's page. Released money stays with the platform, and payouts to banks and
wallets are made from a budget that is topped up apart from what was collected. Files by concern: payments (with
inquiries and transactions), saved_cards, refunds, payouts (with payout_statuses), events (with signatures);
capabilities here.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

from multitask.payments.provider import (
    NO_QUERY,
    AmountRules,
    Capabilities,
    Collects,
    Disburses,
    IdKind,
    InboundEvent,
    OffersSavedCards,
    Payer,
    Redirect,
    Refunds,
    RouteKind,
    SavedCard,
    SendsWebhooks,
)
from multitask.providers.paymob import amounts, events, identifiers, saved_cards, shown_fields
from multitask.providers.paymob.payouts import Payouts


class PaymobProvider(Payouts):
    """Paymob, or the sandbox at another base address, as a payment provider."""

    name: str = "paymob"

    @cached_property
    def capabilities(self) -> Capabilities:
        """What Paymob can do."""
        return Capabilities(
            supports=frozenset({Collects, Refunds, Disburses, OffersSavedCards, SendsWebhooks}),
            kinds=frozenset({RouteKind.PLATFORM}),
            currencies=frozenset({amounts.CURRENCY}),
            countries=frozenset({"EG"}),
            continuation=Redirect,
            key_lifetime=None,
            finds_by_reference=True,
            shown_fields=shown_fields.SHOWN,
            last_four_fields=shown_fields.LAST_FOUR,
            payments_expire_after=self._configuration.checkout_lifetime,
        )

    def require_answering(self) -> None:
        """Raise Unavailable while calls are refused since Paymob has stopped answering."""
        self.guard.breaker.require_closed()

    def amount_rules(self, currency: str) -> AmountRules:
        """Return the rules for amounts of a currency."""
        return amounts.rules(currency)

    def kinds_of_id(self, object_id: str) -> frozenset[IdKind]:
        """Return the kinds that an id may be of: orders, transactions, payouts and cards are numbers alike."""
        return identifiers.kinds_of(object_id)

    @property
    def most_saved_cards(self) -> int:
        """How many saved cards a payment page offers."""
        return saved_cards.MOST

    def is_saved_by(self, card: SavedCard, payer: Payer) -> bool:
        """Return whether a card was saved by this payer, by the address that was sent with the payment."""
        return saved_cards.is_saved_by(card, payer)

    def verify_webhook(
        self,
        *,
        body: bytes,
        headers: Mapping[str, str],
        endpoint: str,
        now: datetime,
        query: Mapping[str, str] = NO_QUERY,
    ) -> InboundEvent:
        """Check a callback's signature, which is the parameter `hmac` of its address, and return what it is about."""
        return events.read(
            body,
            given=query.get("hmac", ""),
            secret=self._configuration.hmac_secret,
            integrations=self._configuration.integration_ids,
            now=now,
            live=self._configuration.is_live,
        )

    def hinted_payout(self, body: bytes) -> str:
        """Return the id of the payout that an unsigned callback names; empty for anything else."""
        return events.hinted_payout(body)
