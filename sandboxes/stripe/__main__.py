"""`python -m sandboxes.stripe`: start the sandbox on its own."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from sandboxes.stripe import countries
from sandboxes.stripe.server import build
from sandboxes.stripe.settings import DAY, Settings, Webhook
from sandboxes.stripe.store import FolderRefused

DEFAULTS = Settings()
# Whoever may list processes reads command lines; these two say the same where only their owner looks.
WEBHOOKS, CONNECT_WEBHOOKS = "STRIPE_SANDBOX_WEBHOOKS", "STRIPE_SANDBOX_CONNECT_WEBHOOKS"

LONGEST = 400 * DAY
EPILOG = """Use it with any test key, for example from Python:
  client = stripe.StripeClient("sk_test_any", base_addresses={"api": "http://127.0.0.1:12111"})
Pay with 4242 4242 4242 4242, or with pm_card_visa. Time, faults and the record of all money are under /_sandbox/:
  curl -d '{"seconds": 172800}' http://127.0.0.1:12111/_sandbox/clock
  curl http://127.0.0.1:12111/_sandbox/money
All cards, banks, pages and calls: docs/sandbox.md"""


def main() -> int:
    """Read the command line and serve until interrupted. Returns the exit status."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    settings = _settings(arguments)
    try:
        asyncio.run(_serve(settings))
    except FolderRefused as error:
        return _refuse(str(error))
    except Unheard as error:
        return _refuse(f"port {settings.port} on {settings.host} {error}")
    return 0


class Unheard(Exception):
    """The address cannot be listened on."""


def _refuse(why: str) -> int:
    print(f"sandboxes.stripe: {why}", file=sys.stderr)
    return 1


async def _serve(settings: Settings) -> None:
    runner = web.AppRunner(build(settings), access_log=None, shutdown_timeout=1)
    try:
        await runner.setup()
        await _listen(runner, settings)
        kept = f"state in {settings.data}" if settings.data else "state in memory (keep it with --data FOLDER)"
        print(f"sandboxes.stripe: ready on http://{settings.host}:{settings.port} ({kept})", flush=True)
        await _interrupted()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port, reuse_address=True).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Unheard("is already in use; choose another with --port") from error
        if error.errno == errno.EACCES:
            raise Unheard("may not be used; choose another with --port") from error
        raise Unheard(f"cannot be listened on ({error.strerror}); choose another with --host and --port") from error


async def _interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandboxes.stripe",
        description="An offline Stripe: the official SDK talks to it by base address alone.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("--host", default=DEFAULTS.host, help="listen on this address (default: %(default)s)")
    option("--port", type=_port, default=DEFAULTS.port, help="listen on this port (default: %(default)s)")
    option("--data", type=Path, metavar="FOLDER", help="keep the state here (default: .stripe_sandbox)")
    option("--memory", action="store_true", help="keep the state in memory only")
    option("--seed", type=int, help="draw ids and faults from this seed (default: one drawn at first start)")
    option("--public-url", metavar="URL", help="address that links to the hosted pages begin with")
    option("--settle-after", type=_seconds, default=DEFAULTS.settle_after, metavar="SECONDS",
           help="until the funds of a charge become available (default: two days)")  # fmt: skip
    option("--payout-after", type=_seconds, default=DEFAULTS.payout_after, metavar="SECONDS",
           help="until a payout arrives (default: two days)")  # fmt: skip
    option("--verify-after", type=_seconds, default=DEFAULTS.verify_after, metavar="SECONDS",
           help="until an onboarded account is verified (default: at once)")  # fmt: skip
    option("--balance-transaction-after", type=_seconds, default=DEFAULTS.balance_transaction_after, metavar="SECONDS",
           help="until a charge shows its balance transaction (default: at once)")  # fmt: skip
    option("--link-lifetime", type=_whole, default=DEFAULTS.link_lifetime, metavar="SECONDS",
           help="until an account link expires (default: %(default)s)")  # fmt: skip
    option("--fee-basis-points", type=_whole, default=DEFAULTS.fee_basis_points, metavar="N",
           help="Stripe's share of a charge (default: %(default)s, which is 2.9%%)")  # fmt: skip
    option("--fee-fixed", type=_whole, default=DEFAULTS.fee_fixed, metavar="N",
           help="fixed part of the fee, in minor units (default: %(default)s)")  # fmt: skip
    option("--dispute-fee", type=_whole, default=DEFAULTS.dispute_fee, metavar="N",
           help="fee of a dispute, in hundredths of the currency (default: %(default)s)")  # fmt: skip
    option("--dispute-counter-fee", type=_whole, default=DEFAULTS.dispute_counter_fee, metavar="N",
           help="fee of answering one, back with a win, in minor units (default: %(default)s)")  # fmt: skip
    option("--refund-shortfall", choices=("pending", "error"), default=DEFAULTS.refund_shortfall,
           help="a refund that the balance does not cover waits, or is refused (default: %(default)s)")  # fmt: skip
    option("--platform-country", type=_country, default=DEFAULTS.platform_country, metavar="CC",
           help="country of the platform (default: %(default)s)")  # fmt: skip
    option("--webhook-timeout", type=_seconds, default=DEFAULTS.webhook_timeout, metavar="SECONDS",
           help="how long a receiver may take to answer (default: %(default)s)")  # fmt: skip
    option("--webhook-retries", type=_pauses, default=DEFAULTS.retry_pauses, metavar="SECONDS,…",
           help="pauses between the attempts of a delivery (default: 5 s growing to a day)")  # fmt: skip
    option("--webhook", action="append", default=[], metavar="URL=SECRET",
           help=f"endpoint for the platform's events; {WEBHOOKS} too takes such words")  # fmt: skip
    option("--connect-webhook", action="append", default=[], metavar="URL=SECRET",
           help=f"endpoint for the connected accounts' events; {CONNECT_WEBHOOKS} too takes such words")  # fmt: skip
    return parser


def _port(text: str) -> int:
    number = _whole(text)
    if not 1 <= number <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return number


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {LONGEST}")
    return seconds


def _pauses(text: str) -> tuple[float, ...]:
    return tuple(_seconds(part.strip()) for part in text.split(",") if part.strip())


def _country(text: str) -> str:
    if text.upper() not in countries.CURRENCIES:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {' '.join(sorted(countries.CURRENCIES))}")
    return text.upper()


def _settings(arguments: argparse.Namespace) -> Settings:
    given = dict(vars(arguments))
    webhooks = [_webhook(text, connect=False) for text in given.pop("webhook") + _words(WEBHOOKS)]
    webhooks += [_webhook(text, connect=True) for text in given.pop("connect_webhook") + _words(CONNECT_WEBHOOKS)]
    pauses = given.pop("webhook_retries")
    in_memory = given.pop("memory")
    data = None if in_memory else given.pop("data") or Path(".stripe_sandbox")
    given.pop("data", None)
    return Settings(**given, data=data, retry_pauses=pauses, webhooks=tuple(webhooks))


def _words(variable: str) -> list[str]:
    return os.environ.get(variable, "").split()


def _webhook(text: str, *, connect: bool) -> Webhook:
    url, separator, secret = text.rpartition("=")
    if not separator or not url.startswith(("http://", "https://")) or not secret:
        # What was given stays unsaid: a part of it may be a secret.
        raise SystemExit("sandboxes.stripe: give every webhook as URL=SECRET, with http:// or https://")
    return Webhook(url, secret, connect)


if __name__ == "__main__":
    sys.exit(main())
