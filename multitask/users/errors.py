"""The base of what the users room refuses; each refusal lives beside its rule."""

from multitask.errors import DomainError


class UserError(DomainError):
    """Any refusal about an account, a role or a session."""

    code = "user_refused"
