"""`python -m sandboxes.paymob`: start the offline Paymob."""

from __future__ import annotations

import argparse
import os
import sys

from sandboxes.kit import program
from sandboxes.kit.program import seconds, whole_number
from sandboxes.paymob.server import build
from sandboxes.paymob.settings import Settings

NAME = "sandboxes.paymob"
DEFAULTS = Settings()
# Everybody on the machine can read command lines; only the owner of a process can read its environment.
HMAC = "PAYMOB_SANDBOX_HMAC"

EPILOG = f"""Collecting and payouts of Paymob in Egypt, offline. Any key egy_sk_test_… and any payout credentials work:
  curl -H 'Authorization: Token egy_sk_test_any' -H 'Content-Type: application/json' \\
    -d '{{"amount": 25050, "currency": "EGP", "payment_methods": ["card"], "billing_data": {{"first_name": "Mona",
         "last_name": "Ali", "email": "mona@example.com", "phone_number": "+201010101010"}}}}' \\
    http://127.0.0.1:12112/v1/intention/
Callbacks are signed with {DEFAULTS.hmac_secret!r}, or with what {HMAC} says. The record of all money:
  curl http://127.0.0.1:12112/_sandbox/money
All cards, destinations, pages and calls: docs/sandbox-paymob.md"""


def main() -> int:
    """Read the command line and serve until interrupted. Returns the exit status."""
    settings = _settings(_parser().parse_args())
    return program.run(NAME, settings, lambda: build(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {NAME}",
        description="An offline Paymob: an integration talks to it by base address alone.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    program.add_options(parser, DEFAULTS, ".paymob_sandbox")
    option = parser.add_argument
    option("--callback-url", metavar="URL",
           help="receives the callbacks of payments without a notification_url (default: none)")  # fmt: skip
    option("--payout-callback-url", metavar="URL",
           help="receives the unsigned callbacks of payouts by bank (default: none)")  # fmt: skip
    option("--fee-basis-points", type=whole_number, default=DEFAULTS.fee_basis_points, metavar="N",
           help="Paymob's share of a payment (default: %(default)s, which is 2.75%%)")  # fmt: skip
    option("--fee-fixed", type=whole_number, default=DEFAULTS.fee_fixed, metavar="N",
           help="fixed part of the fee of a payment, in piastres (default: %(default)s)")  # fmt: skip
    option("--payout-fee-basis-points", type=whole_number, default=DEFAULTS.payout_fee_basis_points, metavar="N",
           help="Paymob's share of a payout (default: %(default)s)")  # fmt: skip
    option("--payout-fee-fixed", type=whole_number, default=DEFAULTS.payout_fee_fixed, metavar="N",
           help="fixed part of the fee of a payout, in piastres (default: %(default)s)")  # fmt: skip
    option("--vat-basis-points", type=whole_number, default=DEFAULTS.vat_basis_points, metavar="N",
           help="VAT of all fees (default: %(default)s, which is 14%%)")  # fmt: skip
    option("--budget", type=whole_number, default=DEFAULTS.budget, metavar="N",
           help="budget for payouts at the first start, in piastres (default: %(default)s)")  # fmt: skip
    option("--payout-after", type=seconds, default=DEFAULTS.payout_after, metavar="SECONDS",
           help="until a pending payout ends, after two steps between (default: an hour)")  # fmt: skip
    option("--return-after", type=seconds, default=DEFAULTS.return_after, metavar="SECONDS",
           help="until the money of a payout that returns is back (default: a day)")  # fmt: skip
    option("--inquiries-per-minute", type=whole_number, default=DEFAULTS.inquiries_per_minute, metavar="N",
           help="inquiries answered per minute, 0 for any number (default: %(default)s)")  # fmt: skip
    option("--bank-wallets-are-wallets", dest="bank_wallets_are_bank", action="store_false",
           help="inquiries find payouts to bank wallets without bank_transactions")  # fmt: skip
    option("--inquiries-by-get", action="store_true",
           help="refuse inquiries about payouts that are made by POST")  # fmt: skip
    return parser


def _settings(arguments: argparse.Namespace) -> Settings:
    given = program.settings_of(arguments)
    return Settings(**given, hmac_secret=os.environ.get(HMAC) or DEFAULTS.hmac_secret)


if __name__ == "__main__":
    sys.exit(main())
