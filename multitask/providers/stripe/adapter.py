"""Stripe as a `payments.provider.Provider`: separate charges and transfers on Connect.

Clients pay the platform, the platform transfers to the freelancer's connected account, and the payout from
there to the bank is made by hand. Files by concern: accounts, payments, methods, transfers; webhooks here.
"""

from datetime import datetime, timedelta

from multitask.payments.provider import AmountRules, InboundEvent
from multitask.providers.stripe import currencies, events, signatures
from multitask.providers.stripe.accounts import Accounts
from multitask.providers.stripe.methods import Methods
from multitask.providers.stripe.payments import Payments
from multitask.providers.stripe.transfers import Transfers


class StripeProvider(Accounts, Payments, Methods, Transfers):
    """All that payments ask of a provider, done by Stripe or by the sandbox, by base address alone."""

    name: str = "stripe"
    # Stripe keeps a key for at least 24 hours; the hour less is for clocks and for a call that is under way.
    key_lifetime: timedelta = timedelta(hours=23)

    @property
    def publishable_key(self) -> str:
        """The key that browsers may know."""
        return self._configuration.publishable_key

    def require_answering(self) -> None:
        """Raise Unavailable while calls are refused since Stripe has stopped answering."""
        self.guard.breaker.require_closed()

    def amount_rules(self, currency: str) -> AmountRules:
        """What amounts of a currency Stripe moves."""
        return currencies.rules(currency)

    def verify_webhook(self, *, body: bytes, signature: str, endpoint: str, now: datetime) -> InboundEvent:
        """Check a webhook and say what it is about."""
        secrets = {
            events.PLATFORM: self._configuration.webhook_secret,
            events.CONNECT: self._configuration.connect_webhook_secret,
        }
        if endpoint:
            secrets = {endpoint: secrets[endpoint]}
        signed_by = signatures.signers(body=body, header=signature, secrets=secrets, now=now)
        return events.read(body, signed_by=signed_by, live=self._configuration.is_live)
