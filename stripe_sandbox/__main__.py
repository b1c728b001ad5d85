"""`python -m stripe_sandbox`: start the sandbox on its own."""

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

from stripe_sandbox.server import build
from stripe_sandbox.settings import Settings, Webhook
from stripe_sandbox.store import FolderTaken

DEFAULTS = Settings()
# Whoever may list processes reads command lines; these two say the same where only their owner looks.
WEBHOOKS, CONNECT_WEBHOOKS = "STRIPE_SANDBOX_WEBHOOKS", "STRIPE_SANDBOX_CONNECT_WEBHOOKS"


def main() -> int:
    """Read the command line and serve until interrupted. Returns the exit status."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    settings = _settings(arguments)
    try:
        asyncio.run(_serve(settings))
    except FolderTaken as error:
        return _refuse(str(error))
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            why = "is already in use" if error.errno == errno.EADDRINUSE else "may not be used"
            return _refuse(f"port {settings.port} on {settings.host} {why}; choose another with --port")
        raise
    return 0


def _refuse(why: str) -> int:
    print(f"stripe_sandbox: {why}", file=sys.stderr)
    return 1


async def _serve(settings: Settings) -> None:
    runner = web.AppRunner(build(settings), access_log=None, shutdown_timeout=1)
    try:
        await runner.setup()
        await web.TCPSite(runner, settings.host, settings.port, reuse_address=True).start()
        kept = f"state in {settings.data}" if settings.data else "state in memory (keep it with --data FOLDER)"
        print(f"stripe_sandbox: ready on http://{settings.host}:{settings.port} ({kept})", flush=True)
        await _interrupted()
    finally:
        await runner.cleanup()


async def _interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stripe_sandbox", description="An offline Stripe.")
    option = parser.add_argument
    option("--host", default=DEFAULTS.host)
    option("--port", type=int, default=DEFAULTS.port)
    option("--data", type=Path, metavar="FOLDER", help="keep the state here (default: .stripe_sandbox)")
    option("--memory", action="store_true", help="keep the state in memory only")
    option("--seed", type=int, help="draw ids and faults from this seed (default: one drawn at first start)")
    option("--public-url", metavar="URL", help="address that links to the hosted pages begin with")
    option("--settle-after", type=float, default=DEFAULTS.settle_after, metavar="SECONDS",
           help="until the funds of a charge become available (default: two days)")  # fmt: skip
    option("--payout-after", type=float, default=DEFAULTS.payout_after, metavar="SECONDS",
           help="until a payout arrives (default: two days)")  # fmt: skip
    option("--verify-after", type=float, default=DEFAULTS.verify_after, metavar="SECONDS",
           help="until an onboarded account is verified (default: at once)")  # fmt: skip
    option("--balance-transaction-after", type=float, default=DEFAULTS.balance_transaction_after, metavar="SECONDS",
           help="until a charge shows its balance transaction (default: at once)")  # fmt: skip
    option("--link-lifetime", type=int, default=DEFAULTS.link_lifetime, metavar="SECONDS",
           help="until an account link expires")  # fmt: skip
    option("--fee-basis-points", type=int, default=DEFAULTS.fee_basis_points, help="share of a charge (290 = 2.9%%)")
    option("--fee-fixed", type=int, default=DEFAULTS.fee_fixed, help="fixed part of the fee, in minor units")
    option("--dispute-fee", type=int, default=DEFAULTS.dispute_fee, help="in hundredths of the currency")
    option("--dispute-counter-fee", type=int, default=DEFAULTS.dispute_counter_fee, help="in minor units")
    option("--refund-shortfall", choices=("pending", "error"), default=DEFAULTS.refund_shortfall,
           help="what a refund does that the balance does not cover")  # fmt: skip
    option("--platform-country", default=DEFAULTS.platform_country)
    option("--webhook-timeout", type=float, default=DEFAULTS.webhook_timeout, metavar="SECONDS")
    option("--webhook-retries", default=",".join(map(str, DEFAULTS.retry_pauses)), metavar="SECONDS,…",
           help="pauses between the attempts of a delivery")  # fmt: skip
    option("--webhook", action="append", default=[], metavar="URL=SECRET",
           help=f"endpoint for the platform's events; {WEBHOOKS} too takes such words")  # fmt: skip
    option("--connect-webhook", action="append", default=[], metavar="URL=SECRET",
           help=f"endpoint for the connected accounts' events; {CONNECT_WEBHOOKS} too takes such words")  # fmt: skip
    return parser


def _settings(arguments: argparse.Namespace) -> Settings:
    given = dict(vars(arguments))
    webhooks = [_webhook(text, connect=False) for text in given.pop("webhook") + _words(WEBHOOKS)]
    webhooks += [_webhook(text, connect=True) for text in given.pop("connect_webhook") + _words(CONNECT_WEBHOOKS)]
    pauses = tuple(float(part) for part in given.pop("webhook_retries").split(",") if part.strip())
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
        raise SystemExit("stripe_sandbox: give every webhook as URL=SECRET, with http:// or https://")
    return Webhook(url, secret, connect)


if __name__ == "__main__":
    sys.exit(main())
