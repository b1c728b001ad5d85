"""Evidence about chargebacks: its files and texts by Stripe's names."""

import io
from typing import Any, Final, cast

import stripe

from multitask.payments.provider import (
    ChargebackState,
    EvidenceContent,
    EvidenceDocument,
    EvidenceText,
    EvidenceUpload,
)
from multitask.providers.stripe.client import Caller
from multitask.providers.stripe.disputes import dispute_state

TEXTS: Final = {
    EvidenceText.SERVICE: "product_description",
    EvidenceText.SERVICE_DATE: "service_date",
    EvidenceText.CUSTOMER_NAME: "customer_name",
    EvidenceText.CUSTOMER_EMAIL: "customer_email_address",
    EvidenceText.CUSTOMER_ADDRESS: "billing_address",
    EvidenceText.PURCHASE_IP: "customer_purchase_ip",
    EvidenceText.ACTIVITY: "access_activity_log",
    EvidenceText.REFUND_TERMS: "refund_policy_disclosure",
    EvidenceText.WHY_NOT_REFUNDED: "refund_refusal_explanation",
    EvidenceText.CANCELLATION_TERMS: "cancellation_policy_disclosure",
    EvidenceText.WHY_NOT_CANCELLED: "cancellation_rebuttal",
    EvidenceText.WHY_NOT_DUPLICATE: "duplicate_charge_explanation",
    EvidenceText.OTHER_PAYMENT: "duplicate_charge_id",
    EvidenceText.REMARKS: "uncategorized_text",
}
DOCUMENTS: Final = {
    EvidenceDocument.COMMUNICATION: "customer_communication",
    EvidenceDocument.SIGNATURE: "customer_signature",
    EvidenceDocument.RECEIPT: "receipt",
    EvidenceDocument.REFUND_POLICY: "refund_policy",
    EvidenceDocument.CANCELLATION_POLICY: "cancellation_policy",
    EvidenceDocument.SERVICE_PROOF: "service_documentation",
    EvidenceDocument.NOT_DUPLICATE: "duplicate_charge_documentation",
    EvidenceDocument.OTHER: "uncategorized_file",
}


class _File(io.BytesIO):
    """A file for the SDK, which reads its name from it."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


class Evidence(Caller):
    """Calls that answer a chargeback."""

    def upload_evidence(self, *, upload: EvidenceUpload, key: str) -> str:
        """Upload a file for a dispute's evidence."""
        params: stripe.params.FileCreateParams = {
            "file": cast("Any", _File(upload.content, upload.name)),
            "purpose": "dispute_evidence",
        }
        return str(self._read(lambda: self._client.v1.files.create(params, {"idempotency_key": key}))["id"])

    def submit_evidence(self, *, dispute_id: str, content: EvidenceContent, key: str) -> ChargebackState:
        """Send the evidence to the bank."""
        texts = {TEXTS[name]: text for name, text in content.texts.items()}
        files = {DOCUMENTS[name]: file_id for name, file_id in content.files.items()}
        params = cast("stripe.params.DisputeUpdateParams", {"evidence": {**texts, **files}, "submit": True})
        return dispute_state(
            self._read(lambda: self._client.v1.disputes.update(dispute_id, params, {"idempotency_key": key}))
        )
