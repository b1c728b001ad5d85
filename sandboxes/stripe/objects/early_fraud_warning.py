"""Early fraud warnings: the card's bank reports a charge as fraud, often before a dispute."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.stripe import events
from sandboxes.stripe.errors import refused
from sandboxes.stripe.sandbox import Sandbox

KIND = "radar.early_fraud_warning"
TYPES = (
    "card_never_received", "fraudulent_card_application", "made_with_counterfeit_card", "made_with_lost_card",
    "made_with_stolen_card", "misc", "unauthorized_use_of_card",
)  # fmt: skip


def create(sandbox: Sandbox, charge: Doc, fraud_type: str = "unauthorized_use_of_card") -> Doc:
    """Warn about a charge. Raises 400 for one that no card paid, or that has a warning."""
    if not charge.get("_card") or not charge["captured"]:
        raise refused(f"Charge {charge['id']} took no money from a card.", param="charge")
    if sandbox.store.find(KIND, parent=charge["id"], limit=1):
        raise refused(f"Charge {charge['id']} has an early fraud warning.", param="charge")
    warning: Doc = {
        "id": sandbox.ids.new("issfr_1"),
        "object": KIND,
        "actionable": not (charge["refunded"] or charge["disputed"]),
        "charge": charge["id"],
        "created": sandbox.clock.now(),
        "fraud_type": fraud_type,
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    sandbox.add(warning, sandbox.store.account_of(charge["id"]), parent=charge["id"])
    events.emit(sandbox, f"{KIND}.created", warning)
    return warning


def reassess(sandbox: Sandbox, charge: Doc) -> None:
    """End what can be done about a warning when its charge was disputed or refunded in full."""
    if not (charge["refunded"] or charge["disputed"]):
        return
    for warning in sandbox.store.find(KIND, parent=charge["id"], where={"actionable": 1}):
        before = sandbox.render(warning)
        warning["actionable"] = False
        sandbox.store.save(warning)
        events.emit(sandbox, f"{KIND}.updated", warning, before=before)
