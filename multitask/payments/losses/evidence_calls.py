"""The calls that submit evidence: an upload for each file, then one that sends everything to the bank."""

from datetime import datetime
from typing import Any, Final

from multitask.payments.authorization import locks
from multitask.payments.books import audit
from multitask.payments.losses import chargebacks
from multitask.payments.models import Chargeback, Escrow, Evidence, EvidenceFile, Operation
from multitask.payments.operations import engine
from multitask.payments.provider import (
    ABSENT,
    ChargebackState,
    Disputes,
    EvidenceContent,
    EvidenceDocument,
    EvidenceText,
    EvidenceUpload,
    Found,
    Provider,
    ProviderError,
    Search,
    supporting,
)
from multitask.payments.states import OPEN_OPERATIONS, OperationState
from multitask.users.actor import Actor

UPLOAD_EVIDENCE: Final = "upload_evidence"
SUBMIT_EVIDENCE: Final = "submit_evidence"
_SYSTEM: Final = Actor.system("provider")


def begin(escrow: Escrow, chargeback: Chargeback, evidence: Evidence, now: datetime) -> None:
    """Begin the calls of a submission; the caller holds the locks of the chargeback and its evidence."""
    missing = _not_uploaded(evidence)
    for file_id in missing:
        latest = engine.latest(UPLOAD_EVIDENCE, file_id)
        if latest is None or OperationState(latest.state) not in OPEN_OPERATIONS:
            engine.begin(
                UPLOAD_EVIDENCE,
                subject_id=file_id,
                provider=chargeback.provider,
                escrow=escrow,
                sequence=1 if latest is None else latest.sequence + 1,
                now=now,
            )
    if not missing:
        _begin_submission(escrow, chargeback, evidence, now)


def _not_uploaded(evidence: Evidence) -> list[int]:
    missing = evidence.files.filter(removed_at=None, provider_file_id="")
    return list(missing.order_by("pk").values_list("pk", flat=True))


def _begin_submission(escrow: Escrow, chargeback: Chargeback, evidence: Evidence, now: datetime) -> None:
    uploaded = evidence.files.filter(removed_at=None).values_list("document", "provider_file_id")
    engine.begin(
        SUBMIT_EVIDENCE,
        subject_id=chargeback.pk,
        provider=chargeback.provider,
        escrow=escrow,
        sequence=evidence.submissions,
        now=now,
        arguments={
            "dispute_id": chargeback.provider_dispute_id,
            "texts": evidence.texts,
            "files": dict(uploaded),
        },
    )


def _locked(operation: Operation, chargeback_id: int) -> tuple[Escrow, Chargeback, Evidence]:
    assert operation.escrow_id is not None  # noqa: S101
    escrow = locks.lock_by_id(operation.escrow_id)
    chargeback = Chargeback.objects.select_for_update(no_key=True).get(pk=chargeback_id)
    return escrow, chargeback, Evidence.objects.select_for_update(no_key=True).get(chargeback=chargeback)


def _refused(escrow: Escrow, evidence: Evidence, error: ProviderError, now: datetime) -> None:
    """Open the evidence again, with the reason of the refusal."""
    evidence.is_submitting, evidence.refusal = False, error.message
    evidence.save(update_fields=["is_submitting", "refusal"])
    note = f"{error.code}: {error.message}"
    audit.record("evidence_refused", actor=_SYSTEM, now=now, escrow=escrow, note=note)


class UploadEvidence:
    """Performs `upload_evidence`."""

    def call(self, provider: Provider, operation: Operation) -> str:
        """Upload the file; return its id."""
        row = EvidenceFile.objects.get(pk=operation.subject_id)
        upload = EvidenceUpload(name=row.name, content_type=row.content_type, content=bytes(row.content))
        return supporting(provider, Disputes).upload_evidence(upload=upload, key=operation.key)

    def find(self, provider: Provider, operation: Operation) -> Search[str]:
        """Return that the file has to be uploaded again: a second copy, which nothing uses, does no harm."""
        return ABSENT

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Store the id; after the last file, send the evidence."""
        row = EvidenceFile.objects.defer("content").select_related("evidence").get(pk=operation.subject_id)
        escrow, chargeback, evidence = _locked(operation, row.evidence.chargeback_id)
        EvidenceFile.objects.filter(pk=row.pk, provider_file_id="").update(provider_file_id=state)
        if evidence.is_submitting and not _not_uploaded(evidence) and not _is_begun(chargeback, evidence):
            _begin_submission(escrow, chargeback, evidence, now)
        return str(state)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """End the submission."""
        row = EvidenceFile.objects.defer("content").select_related("evidence").get(pk=operation.subject_id)
        escrow, _, evidence = _locked(operation, row.evidence.chargeback_id)
        if evidence.is_submitting:
            _refused(escrow, evidence, error, now)

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""


def _is_begun(chargeback: Chargeback, evidence: Evidence) -> bool:
    latest = engine.latest(SUBMIT_EVIDENCE, chargeback.pk)
    return latest is not None and latest.sequence >= evidence.submissions


class SubmitEvidence:
    """Performs `submit_evidence`."""

    def call(self, provider: Provider, operation: Operation) -> ChargebackState:
        """Send the evidence."""
        wanted = operation.arguments
        content = EvidenceContent(
            texts={EvidenceText(name): text for name, text in wanted["texts"].items()},
            files={EvidenceDocument(name): file_id for name, file_id in wanted["files"].items()},
        )
        disputes = supporting(provider, Disputes)
        return disputes.submit_evidence(dispute_id=wanted["dispute_id"], content=content, key=operation.key)

    def find(self, provider: Provider, operation: Operation) -> Search[ChargebackState]:
        """Return the chargeback if it waits for an answer no longer."""
        state = supporting(provider, Disputes).read_dispute(operation.arguments["dispute_id"])
        return ABSENT if state.status in chargebacks.UNANSWERED or not state.is_submitted else Found(state)

    def succeeded(self, operation: Operation, state: Any, now: datetime) -> str:
        """Apply the chargeback's new state."""
        _, __, evidence = _locked(operation, operation.subject_id)
        evidence.is_submitting = False
        evidence.save(update_fields=["is_submitting"])
        chargebacks.confirm(operation.provider, state, now)
        return str(state.id)

    def failed(self, operation: Operation, error: ProviderError, now: datetime) -> None:
        """Open the evidence again, with the reason."""
        escrow, _, evidence = _locked(operation, operation.subject_id)
        _refused(escrow, evidence, error, now)

    def hold(self, operation: Operation) -> str:
        """Return no waiting reason."""
        return ""
