"""Read-only models of the ledger for Django's admin and queries; sql/ creates the tables.

Django does not manage them: it never creates, changes or flushes these tables, and the database refuses to save
a row. Write with `ledger.post`.
"""

from django.db import models


class Account(models.Model):
    """An account in one currency, with the terms with which it was opened."""

    id = models.BigAutoField(primary_key=True)
    code = models.TextField()
    currency = models.TextField()
    floor_minor = models.BigIntegerField(null=True)
    shards = models.SmallIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "ledger_account"

    def __str__(self) -> str:
        return f"{self.code} {self.currency}"


class Transaction(models.Model):
    """The header of a posted transaction."""

    id = models.UUIDField(primary_key=True)
    kind = models.TextField()
    scope = models.TextField()
    key = models.TextField()
    request_hash = models.BinaryField()
    legs = models.SmallIntegerField()
    effective_at = models.DateTimeField()
    created_at = models.DateTimeField()
    reverses = models.OneToOneField(
        "self", models.DO_NOTHING, null=True, related_name="reversed_by", db_column="reverses"
    )
    description = models.TextField()
    details = models.JSONField()

    class Meta:
        managed = False
        db_table = "ledger_transaction"

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Entry(models.Model):
    """One leg of a transaction. Amounts are signed minor units of `currency`, the currency of the account."""

    pk = models.CompositePrimaryKey("transaction_id", "position")
    transaction = models.ForeignKey(Transaction, models.DO_NOTHING, related_name="entries")
    account = models.ForeignKey(Account, models.DO_NOTHING, related_name="entries")
    currency = models.TextField()
    amount_minor = models.BigIntegerField()
    sequence = models.BigIntegerField()
    balance_after_minor = models.BigIntegerField()
    created_at = models.DateTimeField()
    position = models.SmallIntegerField()
    shard = models.SmallIntegerField()

    class Meta:
        managed = False
        db_table = "ledger_entry"

    def __str__(self) -> str:
        return f"{self.transaction_id}/{self.position}"


class Balance(models.Model):
    """The balance of an account, in one row per shard."""

    pk = models.CompositePrimaryKey("account_id", "shard")
    account = models.ForeignKey(Account, models.DO_NOTHING, related_name="balances")
    debits_minor = models.BigIntegerField()
    credits_minor = models.BigIntegerField()
    balance_minor = models.BigIntegerField()
    sequence = models.BigIntegerField()
    floor_minor = models.BigIntegerField(null=True)
    recorded_at = models.DateTimeField(null=True)
    shard = models.SmallIntegerField()

    class Meta:
        managed = False
        db_table = "ledger_balance"

    def __str__(self) -> str:
        return f"{self.account_id}/{self.shard}"
