"""The one place where the details of a payee are decrypted for use: for the call that pays them.

An import contract in `pyproject.toml` lists who may import this module. What is returned shows nothing when it is
printed; it is passed to the provider and kept nowhere.
"""

from multitask.payments.errors import NotFound, WrongState
from multitask.payments.models import PayeeIdentity, PayoutDestination
from multitask.payments.payouts import destination_rules, encryption
from multitask.payments.provider.destinations import PayeeDetails
from multitask.payments.states import IdentityState

Undecryptable = encryption.Undecryptable


def details(destination_id: int, *, needs_identity: bool = True) -> PayeeDetails:
    """Return the details of a destination and of its owner, in clear; a retired destination has them too.

    The identity is the latest that staff has confirmed. Without any its fields are empty: a client who receives a
    refund needs none (`needs_identity`), and a withdrawal is not accepted without one. Raises NotFound, WrongState if
    staff has confirmed none of the owner's identities, or Undecryptable.
    """
    destination = PayoutDestination.objects.filter(pk=destination_id).first()
    if destination is None:
        raise NotFound("There is no such payout destination.")
    submitted = PayeeIdentity.objects.filter(user_id=destination.user_id)
    identity = submitted.filter(state=IdentityState.CONFIRMED.value).order_by("pk").last()
    if needs_identity and identity is None and submitted.exists():
        raise WrongState("The identity of this payee is not confirmed.")
    who = {} if identity is None else encryption.decrypt(identity.public_id, identity.encrypted)
    where = encryption.decrypt(destination.public_id, destination.encrypted)
    return PayeeDetails(
        destination=destination_rules.stored(
            destination.kind, where, bank_code=destination.bank_code, issuer=destination.issuer
        ),
        legal_name=who.get("legal_name", ""),
        national_id=who.get("national_id", ""),
    )
