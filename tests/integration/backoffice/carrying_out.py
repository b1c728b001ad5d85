"""Carries an action of the back office out, as somebody whose last proof is too old."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from multitask.ledger.models import Transaction
from multitask.payments.models import Approval, AuditEvent, Operation
from multitask.providers import circuit_breaker
from multitask.users import second_factor
from multitask.users.actor import Actor
from multitask.users.models import User
from multitask.web.server import lane_rules
from multitask.web.server.lanes import Name
from tests import staff
from tests.integration.backoffice import addresses
from tests.payments_world import World, user_id

FILE_INPUT = re.compile(r'<input type="file" name="(\w+)"')
STALE = second_factor.FRESH + timedelta(seconds=5)


def traces() -> dict[str, Any]:
    """Everything that an action leaves: postings, calls at the provider, jobs, decisions, lines of the audit trail."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs")
        [jobs] = cursor.fetchone()
    people = list(User.objects.order_by("pk").values_list("staff_role", "is_active"))
    counted = {model: model._default_manager.count() for model in (Transaction, Operation, Approval, AuditEvent)}
    return {"jobs": jobs, "people": people, "factors": TOTPDevice.objects.filter(confirmed=True).count(), **counted}


def provider_calls() -> float:
    """How many calls to providers this process has made."""
    samples = [sample for metric in circuit_breaker.CALLS.collect() for sample in metric.samples]
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))


def file_of_2_megabytes() -> SimpleUploadedFile:
    """A document; a body without one may have less."""
    content = b"%PDF-1.7 " + b"x" * 2_000_000
    return SimpleUploadedFile("scan.pdf", content, content_type="application/pdf")


def rewind(form: dict[str, Any]) -> None:
    """Let the files of a form be sent again."""
    for value in form.values():
        if isinstance(value, SimpleUploadedFile):
            value.seek(0)


def require_code_and_go_on(
    world: World, browser: Callable[[Actor], Client], name: str, subject_id: int | None, fields: dict[str, Any]
) -> None:
    """Assert that an action asks for a code, keeps what was typed meanwhile, and is done with the code.

    If it calls a provider, it is in the lane of such requests; if it takes a file, it takes one of 2 MB.
    """
    admin = world.staff("admin")
    inside, user = browser(admin), User.objects.get(pk=user_id(admin))
    staff.prove(inside, user, timezone.now() - STALE)
    address, before = addresses.action(name, subject_id), traces()
    form = {"note": "Typed once, kept", "request_key": str(uuid.uuid4()), **fields}

    asked = inside.get(address).content.decode()
    assert 'name="otp"' in asked
    form |= {name: file_of_2_megabytes() for name in FILE_INPUT.findall(asked)}
    for code in ({}, {"otp": ""}, {"otp": "000000"}):
        rewind(form)
        answer = inside.post(address, {**form, **code})
        page = answer.content.decode()
        assert (answer.status_code, traces()) == (422, before)
        assert 'name="otp"' in page
        for field, typed in form.items():
            # A browser never fills in a file again, and the number on a document is not sent back.
            assert isinstance(typed, SimpleUploadedFile) or (typed in page) is (field != "national_id")

    rewind(form)
    called = provider_calls()
    done = inside.post(address, {**form, "otp": staff.code(user.pk)})
    assert done.status_code == 302, done.content.decode()[-3000:]
    assert (provider_calls() > called) is (lane_rules.lane_of(address) is Name.PROVIDER)
    assert traces() != before
    # It counts for the actions of the next five minutes.
    assert 'name="otp"' not in inside.get(addresses.action("retry-overdue-calls")).content.decode()
