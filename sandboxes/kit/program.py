"""The program of an offline provider: options that all providers have, and serving until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from sandboxes.kit.settings import DAY, Settings
from sandboxes.kit.store import FolderRefused

LONGEST = 400 * DAY


class AddressRefused(Exception):
    """The address cannot be listened on."""


def run(name: str, settings: Settings, build: Callable[[], web.Application]) -> int:
    """Serve until interrupted. Returns the exit status; what stops the start is printed in one line."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(_serve(name, settings, build))
    except FolderRefused as error:
        return _refuse(name, str(error))
    except AddressRefused as error:
        return _refuse(name, f"port {settings.port} on {settings.host} {error}")
    return 0


def _refuse(name: str, why: str) -> int:
    print(f"{name}: {why}", file=sys.stderr)
    return 1


async def _serve(name: str, settings: Settings, build: Callable[[], web.Application]) -> None:
    runner = web.AppRunner(build(), access_log=None, shutdown_timeout=1)
    try:
        await runner.setup()
        await _listen(runner, settings)
        kept = f"state in {settings.data}" if settings.data else "state in memory (keep it with --data FOLDER)"
        print(f"{name}: ready on http://{settings.host}:{settings.port} ({kept})", flush=True)
        await _interrupted()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.host, settings.port, reuse_address=True).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AddressRefused("is already in use; choose another with --port") from error
        if error.errno == errno.EACCES:
            raise AddressRefused("may not be used; choose another with --port") from error
        why = f"cannot be listened on ({error.strerror}); choose another with --host and --port"
        raise AddressRefused(why) from error


async def _interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def add_options(parser: argparse.ArgumentParser, defaults: Settings, folder: str) -> None:
    """Add the options that all providers have; `folder` is where the state is kept unless another is named."""
    option = parser.add_argument
    option("--host", default=defaults.host, help="listen on this address (default: %(default)s)")
    option("--port", type=_port, default=defaults.port, help="listen on this port (default: %(default)s)")
    option(
        "--data", type=Path, metavar="FOLDER", default=Path(folder), help="keep the state here (default: %(default)s)"
    )
    option("--memory", action="store_true", help="keep the state in memory only")
    option("--seed", type=int, help="draw ids and faults from this seed (default: one drawn at first start)")
    option("--public-url", metavar="URL", help="address that links to the hosted pages begin with")
    option("--webhook-timeout", type=seconds, default=defaults.webhook_timeout, metavar="SECONDS",
           help="how long a receiver may take to answer (default: %(default)s)")  # fmt: skip
    option("--webhook-retries", type=_pauses, default=defaults.retry_pauses, metavar="SECONDS,…",
           help=f"pauses between the attempts of a delivery (default: {_shown(defaults.retry_pauses)})")  # fmt: skip


def settings_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the options say, by the names of the settings; the provider's own options are among them."""
    given = dict(vars(arguments))
    if given.pop("memory"):
        given["data"] = None
    given["retry_pauses"] = given.pop("webhook_retries")
    return given


def _port(text: str) -> int:
    number = whole_number(text)
    if not 1 <= number <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return number


def whole_number(text: str) -> int:
    """Return a whole number from 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")
    return int(text)


def seconds(text: str) -> float:
    """Return a duration of at most 400 days."""
    try:
        duration = float(text)
    except ValueError:
        duration = -1
    if not 0 <= duration <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {LONGEST}")
    return duration


def _shown(pauses: tuple[float, ...]) -> str:
    return ",".join(f"{pause:g}" for pause in pauses) or "none: each is sent once"


def _pauses(text: str) -> tuple[float, ...]:
    return tuple(seconds(part.strip()) for part in text.split(",") if part.strip())
