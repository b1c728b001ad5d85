"""The platform's answer to a chargeback: texts and files for the cardholder's bank."""

from typing import ClassVar, Final

from django.conf import settings
from django.db import models

from multitask.payments.models.loss import Chargeback

# The largest file that a provider accepts as evidence, in bytes.
FILE_MAX: Final = 5 * 1024 * 1024


class Evidence(models.Model):
    """The evidence about one chargeback. `texts` maps the names of `EvidenceText` to what is written there.

    `submissions` counts the attempts to submit it. `is_submitting` is true while one is under way, `refusal` says why
    the last one failed.
    """

    id = models.BigAutoField(primary_key=True)
    chargeback = models.OneToOneField(Chargeback, on_delete=models.PROTECT, related_name="evidence")
    texts = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True)
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    submissions = models.SmallIntegerField(default=0)
    is_submitting = models.BooleanField(default=False)
    refusal = models.TextField(blank=True, default="")

    def __str__(self) -> str:
        """Return the chargeback."""
        return f"evidence about {self.chargeback_id}"


class EvidenceFile(models.Model):
    """One file of the evidence; `document` is the name of an `EvidenceDocument`, of which there is one file each.

    `provider_file_id` is empty until it was uploaded to the provider.
    """

    id = models.BigAutoField(primary_key=True)
    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="files")
    document = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=50)
    size = models.IntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    provider_file_id = models.CharField(max_length=255, blank=True, default="")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    uploaded_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        """One present file per document; the limits of size."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["evidence", "document"],
                condition=models.Q(removed_at=None),
                name="payments_evidence_file_once",
            ),
            models.CheckConstraint(
                condition=models.Q(size__gt=0, size__lte=FILE_MAX), name="payments_evidence_file_size"
            ),
        ]

    def __str__(self) -> str:
        """Return its name."""
        return self.name
