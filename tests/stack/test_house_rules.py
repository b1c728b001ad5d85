"""Rules that no linter checks: sizes, names, and words that the repository must not contain."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.stack.conftest import ROOT

FILE_LINES = 400
FUNCTION_LINES = 60
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}
# Written in pieces, so that this file does not hold what it forbids.
BANNED_WORDS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "deb.debian" + ".org",
    "TO" + "DO",
    "FIX" + "ME",
]
MACHINE_PATHS = re.compile(r"(?<![\w./])/(work|root/\.|home/\w)" + r"/?\w*")


def tracked(*endings: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name.endswith(endings) and (ROOT / name).is_file()]


def test_files_and_functions_fit() -> None:
    long = []
    for path in tracked(".py"):
        if "migrations" in path.parts:
            continue
        text = path.read_text()
        if len(text.splitlines()) > FILE_LINES:
            long.append(f"{path.relative_to(ROOT)}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {lines} lines")
    assert long == []


def test_modules_are_named_after_what_they_hold() -> None:
    assert [path for path in tracked(".py") if path.stem in BANNED_NAMES or path.parent.name in BANNED_NAMES] == []


@pytest.mark.parametrize("word", BANNED_WORDS)
def test_no_file_speaks_of_what_it_may_not(word: str) -> None:
    told = [path for path in tracked("") if word in path.read_text(errors="ignore")]
    assert told == []


def test_no_file_names_a_path_of_one_machine() -> None:
    told = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in tracked(".py", ".md", ".toml", ".txt", ".sh", "Makefile", "run")
        if (found := MACHINE_PATHS.search(path.read_text(errors="ignore")))
    ]
    assert told == []


def test_links_between_documents_lead_somewhere() -> None:
    lost = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in tracked(".md")
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert lost == []


def test_the_packages_that_run_are_all_among_those_of_development() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[\w.\[\],-]+==\S+", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    assert pins("run.txt") <= pins("dev.txt")
    assert pins("run.txt")
