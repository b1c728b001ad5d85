"""`python -m sandboxes.stripe`: start the offline Stripe."""

from __future__ import annotations

import argparse
import os
import sys

from sandboxes.kit import program
from sandboxes.kit.program import seconds, whole_number
from sandboxes.stripe import countries
from sandboxes.stripe.server import build
from sandboxes.stripe.settings import Settings, Webhook

NAME = "sandboxes.stripe"
DEFAULTS = Settings()
# Everybody on the machine can read command lines; only the owner of a process can read its environment.
WEBHOOKS, CONNECT_WEBHOOKS = "STRIPE_SANDBOX_WEBHOOKS", "STRIPE_SANDBOX_CONNECT_WEBHOOKS"

EPILOG = """Use it with any test key, for example from Python:
  client = stripe.StripeClient("sk_test_any", base_addresses={"api": "http://127.0.0.1:12111"})
Pay with 4242 4242 4242 4242, or with pm_card_visa. Time, faults and the record of all money are under /_sandbox/:
  curl -d '{"seconds": 172800}' http://127.0.0.1:12111/_sandbox/clock
  curl http://127.0.0.1:12111/_sandbox/money
All cards, banks, pages and calls: docs/sandbox.md"""


def main() -> int:
    """Read the command line and serve until interrupted. Returns the exit status."""
    settings = _settings(_parser().parse_args())
    return program.run(NAME, settings, lambda: build(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {NAME}",
        description="An offline Stripe: the official SDK talks to it by base address alone.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    program.add_options(parser, DEFAULTS, ".stripe_sandbox")
    option = parser.add_argument
    option("--settle-after", type=seconds, default=DEFAULTS.settle_after, metavar="SECONDS",
           help="until the funds of a charge become available (default: two days)")  # fmt: skip
    option("--payout-after", type=seconds, default=DEFAULTS.payout_after, metavar="SECONDS",
           help="until a payout arrives (default: two days)")  # fmt: skip
    option("--verify-after", type=seconds, default=DEFAULTS.verify_after, metavar="SECONDS",
           help="until an onboarded account is verified (default: at once)")  # fmt: skip
    option("--balance-transaction-after", type=seconds, default=DEFAULTS.balance_transaction_after, metavar="SECONDS",
           help="until a charge shows its balance transaction (default: at once)")  # fmt: skip
    option("--link-lifetime", type=whole_number, default=DEFAULTS.link_lifetime, metavar="SECONDS",
           help="until an account link expires (default: %(default)s)")  # fmt: skip
    option("--fee-basis-points", type=whole_number, default=DEFAULTS.fee_basis_points, metavar="N",
           help="Stripe's share of a charge (default: %(default)s, which is 2.9%%)")  # fmt: skip
    option("--fee-fixed", type=whole_number, default=DEFAULTS.fee_fixed, metavar="N",
           help="fixed part of the fee, in minor units (default: %(default)s)")  # fmt: skip
    option("--dispute-fee", type=whole_number, default=DEFAULTS.dispute_fee, metavar="N",
           help="fee of a dispute, in hundredths of the currency (default: %(default)s)")  # fmt: skip
    option("--dispute-counter-fee", type=whole_number, default=DEFAULTS.dispute_counter_fee, metavar="N",
           help="fee of answering one, returned when it is won, in minor units (default: %(default)s)")  # fmt: skip
    option("--refund-shortfall", choices=("pending", "error"), default=DEFAULTS.refund_shortfall,
           help="a refund that the balance does not cover waits, or is refused (default: %(default)s)")  # fmt: skip
    option("--platform-country", type=_country, default=DEFAULTS.platform_country, metavar="CC",
           help="country of the platform (default: %(default)s)")  # fmt: skip
    option("--webhook", action="append", default=[], metavar="URL=SECRET",
           help=f"endpoint for the platform's events; {WEBHOOKS} takes such words too")  # fmt: skip
    option("--connect-webhook", action="append", default=[], metavar="URL=SECRET",
           help=f"endpoint for the connected accounts' events; {CONNECT_WEBHOOKS} takes such words too")  # fmt: skip
    return parser


def _country(text: str) -> str:
    if text.upper() not in countries.CURRENCIES:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {' '.join(sorted(countries.CURRENCIES))}")
    return text.upper()


def _settings(arguments: argparse.Namespace) -> Settings:
    given = program.settings_of(arguments)
    webhooks = [_webhook(text, connect=False) for text in given.pop("webhook") + _words(WEBHOOKS)]
    webhooks += [_webhook(text, connect=True) for text in given.pop("connect_webhook") + _words(CONNECT_WEBHOOKS)]
    return Settings(**given, webhooks=tuple(webhooks))


def _words(variable: str) -> list[str]:
    return os.environ.get(variable, "").split()


def _webhook(text: str, *, connect: bool) -> Webhook:
    url, separator, secret = text.rpartition("=")
    if not separator or not url.startswith(("http://", "https://")) or not secret:
        # The value is not printed: a part of it may be a secret.
        raise SystemExit(f"{NAME}: give every webhook as URL=SECRET, with http:// or https://")
    return Webhook(url, secret, connect)


if __name__ == "__main__":
    sys.exit(main())
