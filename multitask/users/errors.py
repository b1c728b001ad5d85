"""The base class of errors about users; each error is defined beside its rule."""

from multitask.errors import DomainError


class UserError(DomainError):
    """The base class of errors about an account, a role or a session."""

    code = "user_refused"
