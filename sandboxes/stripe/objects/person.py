"""The person or the company behind a connected account."""

from __future__ import annotations

from sandboxes.kit.documents import Doc
from sandboxes.kit.identifiers import letters
from sandboxes.kit.params import Bool, Email, Hash, Int, Param, Str
from sandboxes.stripe import params, shaping
from sandboxes.stripe.params import Metadata
from sandboxes.stripe.sandbox import Sandbox

DOB = Hash(day=Int(least=1, most=31), month=Int(least=1, most=12), year=Int(least=1900, most=2100))
_KANA = {**params.ADDRESS, "town": Str()}
INDIVIDUAL: dict[str, Param] = {
    **{name: Str() for name in (
        "first_name", "last_name", "first_name_kana", "first_name_kanji", "last_name_kana", "last_name_kanji",
        "maiden_name", "gender", "phone", "id_number", "id_number_secondary", "ssn_last_4", "political_exposure",
    )},
    "email": Email(),
    "dob": DOB,
    "address": Hash(params.ADDRESS),
    "registered_address": Hash(params.ADDRESS),
    "address_kana": Hash(_KANA),
    "address_kanji": Hash(_KANA),
    "metadata": Metadata(),
}  # fmt: skip
COMPANY: dict[str, Param] = {
    **{name: Str() for name in (
        "name", "phone", "tax_id", "vat_id", "tax_id_registrar", "registration_number", "structure",
    )},
    **{name: Bool() for name in ("directors_provided", "executives_provided", "owners_provided")},
    "address": Hash(params.ADDRESS),
}  # fmt: skip
_SECRET = ("id_number", "id_number_secondary", "ssn_last_4")


def render(sandbox: Sandbox, account: Doc) -> Doc:
    """Return the Person object of an account's individual; numbers are only shown as provided."""
    given = account["_given"]["individual"]
    shown = {name: value for name, value in given.items() if name not in _SECRET}
    nothing: Doc = {"alternatives": [], "currently_due": [], "errors": [], "eventually_due": [], "past_due": [],
               "pending_verification": []}  # fmt: skip
    return shaping.complete({
        "metadata": {},
        **shown,
        "id": "person_1" + letters(account["id"], 23),
        "object": "person",
        "account": account["id"],
        "created": account["created"],
        "future_requirements": dict(nothing),
        "id_number_provided": bool(given.get("id_number")),
        "id_number_secondary_provided": bool(given.get("id_number_secondary")),
        "relationship": {"representative": True},
        "requirements": dict(nothing),
        "ssn_last_4_provided": bool(given.get("ssn_last_4") or given.get("id_number")),
        "verification": {"status": "verified" if account["_verified"] else "unverified", "document": {}},
    })  # fmt: skip


def company(given: Doc | None) -> Doc | None:
    """Return the company hash of an account; numbers are only shown as provided."""
    if not given:
        return None
    shown = {name: value for name, value in given.items() if name not in ("tax_id", "vat_id", "registration_number")}
    shown["tax_id_provided"] = bool(given.get("tax_id"))
    shown["vat_id_provided"] = bool(given.get("vat_id"))
    return shown
