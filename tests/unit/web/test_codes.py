"""Every code has its place: those of the API in docs/api.md, those of calls at a provider in the labels."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils import translation

from multitask.payments.reads.waiting_payouts import WaitingReason
from multitask.payments.reads.where import Reason
from multitask.web.api.error_statuses import BY_STATUS, INTERNAL, STATUSES
from multitask.web.backoffice.base import labels

ROOT = Path(labels.__file__).parents[4]
PAYMENTS = ROOT / "multitask" / "payments"
REFUSALS = ("Unavailable", "Rejected", "CannotTell")


def trees() -> list[ast.Module]:
    return [ast.parse(path.read_text()) for path in sorted(PAYMENTS.rglob("*.py"))]


def constants() -> dict[str, str]:
    """The codes that modules of the payments define, by name."""
    found = {}
    for tree in trees():
        for node in tree.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                value = node.value
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found[node.target.id] = value.value
    return found


def codes_of_calls() -> Iterator[str]:
    """The codes with which our own code ends or puts off a call at a provider."""
    named = constants()
    for tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            is_refusal = isinstance(node.func, ast.Name) and node.func.id in REFUSALS
            withdraws = ast.unparse(node.func) == "engine.withdraw"
            for part in [*(node.args[:1] if is_refusal else []), *(given if withdraws else [])]:
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value
                elif isinstance(part, ast.Name) and part.id in named:
                    yield named[part.id]


def test_the_api_document_lists_every_code_with_its_status() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    listed = dict(re.findall(r"^\| (\d{3}) \| ((?:`[a-z_]+`(?:, )?)+) \|$", page, re.MULTILINE))
    documented = {(code, int(status)) for status, codes in listed.items() for code in re.findall(r"`([a-z_]+)`", codes)}
    by_themselves = {(answer.code, status) for status, answer in BY_STATUS.items()}
    hidden = {(code, status) for code, status in STATUSES.items() if status == INTERNAL.status}
    assert documented == (set(STATUSES.items()) - hidden) | by_themselves | {(INTERNAL.code, INTERNAL.status)}


def test_the_api_document_explains_every_reason() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    reasons = {reason.value for reason in (*Reason, *WaitingReason)}
    assert [reason for reason in sorted(reasons) if f"`{reason}`" not in page] == []


def test_every_hold_and_every_error_of_a_call_has_a_label_in_both_languages() -> None:
    holds = {value for name, value in constants().items() if name.startswith("AWAITS_")} - {"refund_awaits_destination"}
    errors = set(codes_of_calls())
    assert len(holds) > 5
    assert len(errors) > 10
    for language in ("en", "ar"):
        with translation.override(language):
            missing = [
                code
                for family, codes in (("hold", holds), ("call_error", errors))
                for code in codes
                if not labels.is_known(family, code) or (language == "ar" and labels.of(family, code).isascii())
            ]
        assert missing == []
