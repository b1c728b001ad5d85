"""Evidence: what we answer to the bank about a chargeback. Staff edits it and submits it before the deadline.

A submission uploads the files first, then sends everything in one call that is final. Every call is an operation, so a
crash at any point ends in the same submission. One that the provider refuses leaves the evidence open, with the reason.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from multitask import database
from multitask.payments.authorization import access, locks
from multitask.payments.books import audit
from multitask.payments.errors import EvidenceClosed, FileRefused, Forbidden, NotFound, WrongState
from multitask.payments.losses import chargebacks, evidence_calls, evidence_draft
from multitask.payments.models import FILE_MAX, Chargeback, Escrow, Evidence, EvidenceFile
from multitask.payments.provider import (
    FILES_MAX,
    TEXT_MAX,
    TEXTS_MAX,
    EvidenceDocument,
    EvidenceText,
)
from multitask.users import powers
from multitask.users.actor import Actor, Power

# Files are recognised by how they begin, whatever their name or the browser says.
_TYPES: Final = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def is_open(chargeback: Chargeback, *, now: datetime) -> bool:
    """Return whether the evidence may still be changed and submitted, apart from a submission that is under way."""
    is_late = chargeback.evidence_due_at is not None and now >= chargeback.evidence_due_at
    return chargeback.status in chargebacks.UNANSWERED and chargeback.accepted_at is None and not is_late


def of(chargeback: Chargeback) -> Evidence | None:
    """Return the saved evidence, or None."""
    return Evidence.objects.filter(chargeback=chargeback).first()


def texts(chargeback: Chargeback, saved: Evidence | None) -> dict[str, str]:
    """Return the texts by the names of `EvidenceText`: those that were saved, or a draft of what we know."""
    return evidence_draft.texts(chargeback) if saved is None else dict(saved.texts)


def files(saved: Evidence | None) -> list[EvidenceFile]:
    """Return the present files without their contents."""
    if saved is None:
        return []
    return list(saved.files.filter(removed_at=None).defer("content").select_related("uploaded_by").order_by("pk"))


@database.transactional
def edit(
    *, actor: Actor, chargeback_id: int, texts: Mapping[EvidenceText, str], now: datetime, note: str = ""
) -> Evidence:
    """Save the texts of the evidence, as finance staff; those that are not given stay as they are.

    Raises Forbidden, ProofNeeded, NotFound, EvidenceClosed or WrongState.
    """
    escrow, chargeback, saved = _editable(actor, chargeback_id, now)
    merged = saved.texts | {name.value: text.strip() for name, text in texts.items()}
    merged = {name: text for name, text in merged.items() if text}
    if any(len(text) > TEXT_MAX for text in merged.values()) or sum(map(len, merged.values())) > TEXTS_MAX:
        raise WrongState(f"A text has at most {TEXT_MAX} characters, all texts together {TEXTS_MAX}.")
    saved.texts = merged
    _edited(escrow, chargeback, saved, actor, "evidence_edited", note, now)
    return saved


@database.transactional
def add_file(
    *,
    actor: Actor,
    chargeback_id: int,
    document: EvidenceDocument,
    name: str,
    content: bytes,
    now: datetime,
    note: str = "",
) -> EvidenceFile:
    """Add a file, as finance staff; it replaces an earlier one for the same document.

    Raises Forbidden, ProofNeeded, NotFound, EvidenceClosed, WrongState or FileRefused.
    """
    escrow, chargeback, saved = _editable(actor, chargeback_id, now)
    content_type = next((kind for begin, kind in _TYPES.items() if content.startswith(begin)), None)
    if content_type is None or len(content) > FILE_MAX:
        raise FileRefused
    digest = hashlib.sha256(content).hexdigest()
    present = saved.files.filter(removed_at=None)
    same = present.filter(document=document.value, sha256=digest, name=name[-200:]).first()
    if same is not None:
        return same
    others = present.exclude(document=document.value).values_list("size", flat=True)
    if sum(others) + len(content) > FILES_MAX:
        raise FileRefused("All files of one chargeback together have at most 4.5 MB.")
    present.filter(document=document.value).update(removed_at=now)
    added = EvidenceFile.objects.create(
        evidence=saved,
        document=document.value,
        name=name[-200:],
        content_type=content_type,
        size=len(content),
        sha256=digest,
        content=content,
        uploaded_by_id=actor.user_id,
        uploaded_at=now,
    )
    _edited(escrow, chargeback, saved, actor, "evidence_file_added", note, now, file=added.name)
    return added


@database.transactional
def remove_file(*, actor: Actor, file_id: int, now: datetime, note: str = "") -> EvidenceFile:
    """Remove a file from the evidence, as finance staff; one that was removed before stays so.

    Raises Forbidden, ProofNeeded, NotFound, EvidenceClosed or WrongState.
    """
    seen = EvidenceFile.objects.filter(pk=file_id).defer("content").select_related("evidence").first()
    if seen is None:
        raise NotFound("There is no such file.")
    escrow, chargeback, saved = _editable(actor, seen.evidence.chargeback_id, now)
    if saved.files.filter(pk=file_id, removed_at=None).update(removed_at=now):
        _edited(escrow, chargeback, saved, actor, "evidence_file_removed", note, now, file=seen.name)
    return seen


@database.transactional
def submit(*, actor: Actor, chargeback_id: int, now: datetime, note: str = "") -> Evidence:
    """Send the evidence to the bank, for good, as finance staff; a submission that is under way is returned.

    Raises Forbidden, ProofNeeded, NotFound, EvidenceClosed or WrongState.
    """
    escrow, chargeback, saved = _locked(actor, chargeback_id, now)
    if saved.is_submitting:
        return saved
    _require_open(chargeback, now)
    if not saved.texts and not saved.files.filter(removed_at=None).exists():
        raise WrongState("There is no evidence to submit.")
    saved.is_submitting, saved.refusal = True, ""
    saved.submitted_by_id = actor.user_id
    saved.submissions += 1
    saved.save()
    audit.record("evidence_sent", actor=actor, now=now, escrow=escrow, amount=chargeback.amount, note=note)
    evidence_calls.begin(escrow, chargeback, saved, now)
    return saved


def _editable(actor: Actor, chargeback_id: int, now: datetime) -> tuple[Escrow, Chargeback, Evidence]:
    escrow, chargeback, saved = _locked(actor, chargeback_id, now)
    _require_open(chargeback, now)
    if saved.is_submitting:
        raise EvidenceClosed("The evidence is on its way to the bank.")
    return escrow, chargeback, saved


def _locked(actor: Actor, chargeback_id: int, now: datetime) -> tuple[Escrow, Chargeback, Evidence]:
    """Lock a chargeback with its escrow and its evidence, which begins as the draft."""
    powers.require(actor, Power.ANSWER_CHARGEBACK, Forbidden("Only finance staff answers chargebacks."))
    seen = Chargeback.objects.filter(pk=chargeback_id).first()
    if seen is None:
        raise NotFound("There is no such chargeback.")
    escrow = locks.lock_by_id(seen.escrow_id)
    access.require_neutral(actor, escrow)
    chargeback = Chargeback.objects.select_for_update(no_key=True).get(pk=chargeback_id)
    saved = Evidence.objects.select_for_update(no_key=True).filter(chargeback=chargeback).first()
    if saved is None:
        drafted = evidence_draft.texts(chargeback)
        saved = Evidence.objects.create(chargeback=chargeback, texts=drafted, created_at=now)
    return escrow, chargeback, saved


def _require_open(chargeback: Chargeback, now: datetime) -> None:
    if not is_open(chargeback, now=now):
        raise EvidenceClosed


def _edited(
    escrow: Escrow,
    chargeback: Chargeback,
    saved: Evidence,
    actor: Actor,
    event: str,
    note: str,
    now: datetime,
    **details: str,
) -> None:
    saved.edited_at, saved.edited_by_id = now, actor.user_id
    saved.refusal = ""
    saved.save()
    about: dict[str, str | int] = {"chargeback": chargeback.pk, **details}
    audit.record(event, actor=actor, now=now, escrow=escrow, note=note, details=about)
