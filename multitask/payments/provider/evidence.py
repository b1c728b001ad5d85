"""What can be told and shown to a cardholder's bank about a contested payment, by names of our own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

# The most characters of one text and of all texts together, and the most bytes of all files together.
TEXT_MAX: Final = 20_000
TEXTS_MAX: Final = 150_000
FILES_MAX: Final = 4_718_592


class EvidenceText(StrEnum):
    """A text of the evidence."""

    SERVICE = "service"  # what was sold
    SERVICE_DATE = "service_date"
    CUSTOMER_NAME = "customer_name"
    CUSTOMER_EMAIL = "customer_email"
    CUSTOMER_ADDRESS = "customer_address"
    PURCHASE_IP = "purchase_ip"
    ACTIVITY = "activity"  # what the customer did here
    REFUND_TERMS = "refund_terms"  # how the customer was told of them
    WHY_NOT_REFUNDED = "why_not_refunded"
    CANCELLATION_TERMS = "cancellation_terms"
    WHY_NOT_CANCELLED = "why_not_cancelled"
    WHY_NOT_DUPLICATE = "why_not_duplicate"
    OTHER_PAYMENT = "other_payment"  # the id of the payment that this one is said to repeat
    REMARKS = "remarks"


class EvidenceDocument(StrEnum):
    """A file of the evidence: a PDF, a JPEG or a PNG."""

    COMMUNICATION = "communication"
    SIGNATURE = "signature"
    RECEIPT = "receipt"
    REFUND_POLICY = "refund_policy"
    CANCELLATION_POLICY = "cancellation_policy"
    SERVICE_PROOF = "service_proof"
    NOT_DUPLICATE = "not_duplicate"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceUpload:
    """A file to upload."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceContent:
    """The whole evidence: texts, and the provider's ids of the uploaded files."""

    texts: Mapping[EvidenceText, str]
    files: Mapping[EvidenceDocument, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudWarningState:
    """An early fraud warning of the card's issuer; `is_actionable` while a refund can still prevent a chargeback."""

    id: str
    reason: str
    payment_id: str
    collection_id: str
    is_actionable: bool
