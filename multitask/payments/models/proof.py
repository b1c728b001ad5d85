"""Signed statements of what is owed to people, and the trees in which each person finds their own balance."""

from typing import ClassVar

from django.db import models


class ProofStatement(models.Model):
    """One signed statement, one per day (UTC). Never changed, never deleted.

    `text` is JSON, exactly as it was signed. `digest` is its SHA-256, which the next statement repeats; it and
    `public_key` are in hexadecimal, `signature` in base64.
    """

    number = models.IntegerField(primary_key=True)
    day = models.DateField(unique=True)
    taken_at = models.DateTimeField()
    text = models.TextField()
    digest = models.CharField(max_length=64)
    public_key = models.CharField(max_length=64)
    signature = models.CharField(max_length=88)

    def __str__(self) -> str:
        """Return number and day."""
        return f"{self.number} of {self.day}"


class ProofTree(models.Model):
    """The trees of one statement. `secret` makes the nonces of their leaves. Deleted when the statement is old."""

    statement = models.IntegerField(primary_key=True)
    secret = models.BinaryField()

    def __str__(self) -> str:
        """Return the number of the statement."""
        return str(self.statement)


class ProofTreePart(models.Model):
    """Consecutive leaves of one currency's tree, compressed, with the node above them.

    `first_place` is the place of its first leaf: the leaves of a tree are in the order of their places, which only
    the secret of the tree tells.
    """

    id = models.BigAutoField(primary_key=True)
    tree = models.ForeignKey(ProofTree, on_delete=models.CASCADE, related_name="parts")
    currency = models.CharField(max_length=3)
    number = models.IntegerField()
    first_place = models.BinaryField()
    leaves = models.BinaryField()
    hash = models.BinaryField()
    sum_minor = models.BigIntegerField()

    class Meta:
        """Parts are numbered from 0 in each currency."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tree", "currency", "number"], name="payments_prooftreepart_once"),
            models.CheckConstraint(condition=models.Q(sum_minor__gt=0), name="payments_prooftreepart_positive"),
        ]

    def __str__(self) -> str:
        """Return tree, currency and number."""
        return f"{self.tree_id} {self.currency} {self.number}"
