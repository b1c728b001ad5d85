"""`python -m tests.browser.screenshots`: a picture of every page, as desktop, phone, dark and Arabic show it.

They go to the git-ignored `screenshots/`, one folder for each look. With `docs` the three of the README are
drawn anew instead, into `docs/images/`.
"""

import sys

import pytest

from tests.sandbox_process import ROOT


def main(arguments: list[str]) -> int:
    """Draw; answer the exit status."""
    wanted = "test_docs" if arguments == ["docs"] else "test_screenshots"
    return int(pytest.main([f"{ROOT}/tests/browser/drawing.py::{wanted}", "-q", "-p", "no:cacheprovider"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
