"""Every error class of the project has a status in the one table."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from django.db import InterfaceError, OperationalError

import multitask
from multitask.database import OutcomeUnknown
from multitask.errors import DomainError
from multitask.web.api import error_statuses


def _refusals(base: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for found in base.__subclasses__():
        yield found
        yield from _refusals(found)


def _import_everything() -> None:
    for module in pkgutil.walk_packages(multitask.__path__, "multitask."):
        if ".migrations" not in module.name and not module.name.endswith(".asgi"):
            importlib.import_module(module.name)


def test_every_code_has_a_status() -> None:
    _import_everything()
    missing = {
        f"{found.__module__}.{found.__qualname__}: {found.code}"
        for found in _refusals()
        if found.__module__.startswith("multitask.") and found.code not in error_statuses.STATUSES
    }
    assert not missing, "give these a status in web/api/error_statuses.py"


def test_a_code_has_one_status() -> None:
    codes = [code for group in error_statuses._CODES_BY_STATUS.values() for code in group.split()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (OutcomeUnknown("?"), 503, "outcome_unknown"),
        (OperationalError("the connection is lost"), 503, "temporarily_unavailable"),
        (InterfaceError("connection already closed"), 503, "temporarily_unavailable"),
        (RuntimeError("a secret"), 500, "internal_error"),
    ],
)
def test_a_fault_says_when_to_come_again_and_nothing_about_itself(fault: Exception, status: int, code: str) -> None:
    found = error_statuses.answer(fault)
    assert (found.status, found.code) == (status, code)
    assert str(fault) not in str(found.body)
    assert ("Retry-After" in found.headers) == (status == 503)


def test_a_rule_that_our_own_code_broke_is_a_fault() -> None:
    class Broken(DomainError):
        code = "a_code_that_nobody_mapped"
        message = "The inner workings."

    assert error_statuses.answer(Broken()) is error_statuses.INTERNAL
