"""Requires the ledger's provider balances to be those of a sandbox that other tests use as well."""

from tests import provider_money
from tests.sandbox_process import SandboxProcess


class ProviderBalances:
    """The platform's balance from now on, and those of the accounts that the test makes."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self._sandbox = sandbox
        self._before = provider_money.theirs(sandbox.money()).get("platform", {})

    def require_equal(self) -> None:
        """Require that each balance in our books is the provider's, to the minor unit."""
        theirs = provider_money.theirs(self._sandbox.money())
        now = theirs.pop("platform", {})
        moved = {name: now.get(name, 0) - self._before.get(name, 0) for name in now.keys() | self._before.keys()}
        if any(moved.values()):
            theirs["platform"] = {currency: amount for currency, amount in moved.items() if amount}
        assert provider_money.ours() == theirs
