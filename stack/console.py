"""Printing: plain lines, and bold titles if the terminal supports it."""

import os
import sys


def say(text: str = "") -> None:
    print(text, flush=True)


def title(text: str) -> None:
    say(f"\033[1m{text}\033[0m" if _has_colours() else text)


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _has_colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
