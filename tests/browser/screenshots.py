"""`python -m tests.browser.screenshots`: a picture of every page, as desktop, phone, dark and Arabic show it.

They go to the git-ignored `screenshots/`, one folder for each look. With `docs` the three of the README are
drawn anew instead, into `docs/images/`.
"""

import sys

import pytest

from tests.sandbox_process import ROOT


def main(arguments: list[str]) -> int:
    """Draw them; return the exit status."""
    wanted = "test_docs" if arguments == ["docs"] else "test_screenshots"
    test = f"{ROOT}/tests/browser/drawing.py::{wanted}"
    # One test draws them all, which may take longer than a test that hangs is given.
    return int(pytest.main([test, "-q", "-p", "no:cacheprovider", "-o", "faulthandler_timeout=0"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
