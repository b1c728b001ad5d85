"""Writes `docs/providers.md`, what each provider declares: `python -m tests.contract.matrix`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from multitask.money import Money
from multitask.payments.provider import PROTOCOLS, Provider, supports
from multitask.providers.paymob import amounts, saved_cards
from multitask.providers.paymob import configuration as paymob
from multitask.providers.paymob.adapter import PaymobProvider
from multitask.providers.stripe.adapter import StripeProvider
from multitask.providers.stripe.configuration import Configuration

PATH: Final = Path(__file__).parents[2] / "docs" / "providers.md"
_HEAD: Final = """\
# Payment providers

What each adapter declares (`Capabilities` in `multitask/payments/provider/capabilities.py`) and obeys. The suite in \
`tests/contract` runs against every provider and fails when this page is out of date; \
`python -m tests.contract.matrix` writes it anew.

A currency is listed when a payment in it can be collected, held and paid out in the default set-up. `ROUTES` \
(see [operations.md](operations.md)) narrows the list and the amounts.

An amount marked "(secondary)" is not in the provider's documentation: programs of others that call the provider have \
it. It is kept to, but ask the provider before you promise it to anybody.
"""


def section(provider: Provider) -> str:
    """Return one provider's part of the page."""
    capabilities = provider.capabilities
    lifetime, hold = capabilities.key_lifetime, capabilities.longest_hold
    rows = [
        *((wanted.__name__, "yes" if supports(provider, wanted) else "no") for wanted in PROTOCOLS),
        ("Routes", _words(sorted(capabilities.kinds))),
        ("The payer continues by", capabilities.continuation.__name__.lower()),
        ("Idempotency keys", "not honoured" if lifetime is None else f"for {lifetime.total_seconds() / 3600:g} hours"),
        ("Finds objects by our reference", "yes" if capabilities.finds_by_reference else "no"),
        ("Money may be held", "without a limit" if hold is None else f"for {hold.days} days"),
        ("Countries of payees", _words(sorted(capabilities.countries))),
    ]
    parts = [f"## {provider.name}", "", _table(("", provider.name), rows), "", _table(_LIMITS, _limits(provider)), ""]
    return "\n".join([*parts, *(f"{note}\n" for note in _NOTES.get(provider.name, ()))])


# Behind an amount that is not the provider's own word.
_SECONDARY: Final = " (secondary)"


def _ways_of_paymob() -> str:
    """Return the bounds of each way of paying out, with a mark for those that Paymob does not publish."""
    ways = []
    for kind, least in amounts.LEAST_PAYOUT.items():
        way = f"{kind.value} from {_bound(least, is_secondary=kind in amounts.SECONDARY_LEAST)}"
        if kind in amounts.MOST_PAYOUT:
            way += f" to {_bound(amounts.MOST_PAYOUT[kind], is_secondary=kind in amounts.SECONDARY_MOST)}"
        ways.append(way)
    return ", ".join(ways)


def _bound(amount_minor: int | None, *, is_secondary: bool, currency: str = amounts.CURRENCY) -> str:
    if amount_minor is None:
        return "none"
    return f"{Money(amount_minor, currency).to_major_string()}{_SECONDARY if is_secondary else ''}"


# What the tables cannot show.
_NOTES: Final[dict[str, tuple[str, ...]]] = {
    "paymob": (
        "Paymob has no customers. A card that a payer lets Paymob keep arrives as a token by a callback. Its signed "
        "fields name the order, and so the client; the token is stored encrypted, and the client's later payment pages "
        f"offer up to {saved_cards.MOST} cards (secondary). What Paymob answers "
        "to a token that it does not know is not documented: where it refuses, the intention is created with fewer "
        "cards, and the card that was refused is removed. No call that deletes a token is known, so a card that its "
        "owner removes is forgotten here.",
        f"Paymob publishes no least price: {Money(amounts.rules(amounts.CURRENCY).least_charge, amounts.CURRENCY)} is "
        f"ours. What can be paid out at once depends on the way: {_ways_of_paymob()}. A payment at a kiosk cannot be "
        "refunded by Paymob; it is paid out to the client instead. A payment page cannot be closed; it expires a day "
        "after the time for paying has ended, and after 36 days at the latest.",
    ),
}


_LIMITS: Final = (
    "Currency",
    "Least price",
    "Largest price",
    "Prices in steps of",
    "Least payout",
    "Payouts in steps of",
)


def _limits(provider: Provider) -> Iterable[tuple[str, ...]]:
    for currency in sorted(provider.capabilities.currencies):
        rules = provider.amount_rules(currency)
        names = ("least_charge", "most_charge", "step", "least_payout", "payout_step")
        assert rules.secondary <= set(names)
        cells = {name: getattr(rules, name) for name in names}
        yield (
            currency,
            *(_bound(each, is_secondary=name in rules.secondary, currency=currency) for name, each in cells.items()),
        )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _words(found: Iterable[str]) -> str:
    return ", ".join(found)


def page(providers: Iterable[Provider]) -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *map(section, providers)])


def default_stripe() -> Provider:
    """Return Stripe as the default settings configure it."""
    return StripeProvider(
        Configuration(
            secret_key="sk_test_matrix",
            publishable_key="pk_test_matrix",
            webhook_secret="whsec_platform",
            connect_webhook_secret="whsec_connect",
            api_base="http://127.0.0.1:1",
        )
    )


def default_paymob() -> Provider:
    """Return Paymob as the default settings configure it."""
    return PaymobProvider(
        paymob.Configuration(
            secret_key="egy_sk_test_matrix",
            public_key="egy_pk_test_matrix",
            hmac_secret="matrix",
            api_key="matrix",
            integration_ids=(1,),
            api_base="http://127.0.0.1:1",
            notification_url="http://127.0.0.1:1",
            redirection_url="http://127.0.0.1:1",
            payout_base="http://127.0.0.1:1",
        )
    )


# Every provider, with its default settings and without a connection.
PROVIDERS: Final[dict[str, Callable[[], Provider]]] = {"paymob": default_paymob, "stripe": default_stripe}


if __name__ == "__main__":
    PATH.write_text(page(make() for make in PROVIDERS.values()))
