"""`/api/auth/`: register, log in and out, refresh tokens, and the caller's own profile."""

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router
from ninja.responses import Status
from pydantic import Field

from multitask.users import accounts, addresses, logins, second_factor, sessions
from multitask.users.logins import Proof
from multitask.users.models import User
from multitask.web import page_sessions
from multitask.web.api import auth, tokens
from multitask.web.api.operations import responses
from multitask.web.api.request_errors import Refused
from multitask.web.api.schemas import NOTHING, Body, Empty, Message, Output

router = Router(tags=["auth"])

Password = Annotated[str, Field(min_length=1, max_length=1_024)]
Code = Annotated[str, Field(max_length=50)]
Otp = Annotated[str, Field(min_length=1, max_length=50)]


class RegisterIn(Body):
    """A new account: a client, a freelancer, or both."""

    username: Annotated[str, Field(min_length=1, max_length=150)]
    email: Annotated[str, Field(min_length=1, max_length=254)]
    password: Password
    is_client: Annotated[
        bool, Field(description="Posts tasks and pays for them; one of the two roles must be true.")
    ] = False
    is_freelancer: Annotated[bool, Field(description="Works and is paid; one of the two roles must be true.")] = False
    country: Code = "US"
    default_currency: Code = "USD"
    language: Code = "en"
    time_zone: Code = "UTC"


class LoginIn(Body):
    """One of the three names, the password, and a code for accounts with a second factor."""

    username_or_email: Annotated[str, Field(max_length=254)] | None = None
    username: Annotated[str, Field(max_length=254)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    password: Password
    otp: Otp | None = None

    @property
    def identifier(self) -> str:
        """Return the name that was sent, or an empty string, which is no user's name."""
        return self.username_or_email or self.username or self.email or ""


class NameMissing(Refused):
    """A login without a name."""

    code = "required"
    message = "Say who you are: send username_or_email, username or email."


class RefreshIn(Body):
    """The refresh token of a login or of the last refresh."""

    refresh: Annotated[str, Field(min_length=1, max_length=tokens.LONGEST)]


class LogoutIn(Body):
    """The refresh token of the session to end; without it the access token's session ends."""

    refresh: Annotated[str, Field(max_length=tokens.LONGEST)] | None = None


THIS_SESSION = LogoutIn()


class ProfileIn(Body):
    """What users may change about themselves; what is left out or null stays."""

    is_client: bool | None = None
    is_freelancer: bool | None = None
    country: Code | None = None
    default_currency: Code | None = None
    language: Code | None = None
    time_zone: Code | None = None


class UserOut(Output):
    """An account as its owner sees it."""

    id: int
    username: str
    email: str
    email_confirmed: bool
    is_client: bool
    is_freelancer: bool
    staff_role: str
    country: str
    default_currency: str
    language: str
    time_zone: str
    created_at: datetime


class TokensOut(Output):
    """A short-lived token for the Authorization header, and one to refresh it, which works once."""

    access: str
    refresh: str


class ConfirmEmailIn(Body):
    """The token of the link that was sent to the address: the part after `/profile/email/confirm/`."""

    token: Annotated[str, Field(min_length=1, max_length=2_000)]


class ProofIn(Body):
    """A code from the app, or a recovery code; either works once."""

    otp: Otp


class ProofOut(Output):
    """An access token with the time at which the second factor was proved."""

    access: str


class LoginOut(TokensOut):
    """The tokens and their user."""

    user: UserOut


@router.post(
    "/register/",
    auth=None,
    operation_id="auth_register",
    response=responses({201: LoginOut}, 409, 429, user=False, body=True),
)
def register(request: HttpRequest, body: RegisterIn) -> Status[LoginOut]:
    """Create an account and log it in; an email asks to confirm the address unless another account has confirmed it."""
    now = timezone.now()
    registration = accounts.Registration(**body.model_dump())
    user = accounts.register(actor=auth.visitor_of(request), now=now, registration=registration)
    return Status(201, _login(Proof(user=user), now))


@router.post(
    "/login/",
    auth=None,
    operation_id="auth_login",
    response=responses({200: LoginOut}, 401, 403, 429, user=False, body=True),
)
def login(request: HttpRequest, body: LoginIn) -> LoginOut:
    """Log in with a username or an email address, and with `otp` where there is a second factor."""
    now = timezone.now()
    if not body.identifier:
        raise NameMissing(fields={"username_or_email": "This is required."})
    visitor = auth.visitor_of(request)
    proof = logins.prove_password(actor=visitor, now=now, identifier=body.identifier, password=body.password)
    return _login(logins.prove_code(proof=proof, actor=visitor, now=now, code=body.otp), now)


@router.post(
    "/second-factor/",
    auth=auth.Bearer(),
    operation_id="auth_second_factor",
    response=responses({200: ProofOut}, 409, 429, body=True),
)
def prove(request: HttpRequest, body: ProofIn) -> ProofOut:
    """Prove the second factor again; the new token is a fresh proof for five minutes."""
    user, now = auth.user_of(request), timezone.now()
    second_factor.prove(user_id=user.pk, actor=auth.actor_of(request), now=now, code=body.otp)
    session = auth.session_of(request)
    sessions.proved(family=session, proved_by=second_factor.device_id(user.pk))
    return ProofOut(access=tokens.access(user_id=user.pk, session=session, now=now, proved_at=now))


@router.post(
    "/token/refresh/",
    auth=None,
    operation_id="auth_refresh",
    response=responses({200: TokensOut}, 401, user=False, body=True),
)
def refresh(request: HttpRequest, body: RefreshIn) -> TokensOut:
    """Exchange a refresh token for a new pair; sent a second time it ends its session."""
    now = timezone.now()
    claims = tokens.read_refresh(body.refresh)
    token = sessions.rotate(jti=claims.jti, now=now, lifetime=tokens.refresh_lifetime())
    return TokensOut(access=tokens.access_for(token, now=now), refresh=tokens.refresh_for(token, now=now))


@router.post(
    "/logout/",
    auth=None,
    operation_id="auth_logout",
    response=responses({200: Message}, body=True),
)
def logout(request: HttpRequest, body: LogoutIn = THIS_SESSION) -> Message:
    """End the session of the refresh token, the access token or the page; its tokens end with it."""
    now = timezone.now()
    if body.refresh is not None:
        sessions.end(family=tokens.read_refresh(body.refresh).session, now=now)
    else:
        _end_own_session(request, now)
    return Message(message="Logged out.")


@router.get("/profile/", operation_id="auth_profile", response=responses({200: UserOut}))
def profile(request: HttpRequest) -> UserOut:
    """Show the caller's account."""
    return show(auth.user_of(request))


@router.patch("/profile/", operation_id="auth_change_profile", response=responses({200: UserOut}, body=True))
def change_profile(request: HttpRequest, body: ProfileIn) -> UserOut:
    """Change the caller's country, currency, language, time zone or roles."""
    changes = body.model_dump(exclude_none=True)
    return show(accounts.change_profile(actor=auth.actor_of(request), now=timezone.now(), changes=changes))


@router.post(
    "/email/resend/",
    operation_id="auth_resend_email",
    response=responses({200: Message}, 404, 409, 429, body=True),
)
def resend_email(request: HttpRequest, body: Empty = NOTHING) -> Message:
    """Send the email again that asks to confirm the caller's address."""
    addresses.ask_for_confirmation(actor=auth.actor_of(request), now=timezone.now())
    return Message(message="Sent.")


@router.post(
    "/email/confirm/",
    auth=None,
    operation_id="auth_confirm_email",
    response=responses({200: Message}, user=False, body=True),
)
def confirm_email(request: HttpRequest, body: ConfirmEmailIn) -> Message:
    """Confirm an email address by the token of the link that was sent to it."""
    addresses.confirm(actor=auth.visitor_of(request), now=timezone.now(), token=body.token)
    return Message(message="Confirmed.")


def show(user: User) -> UserOut:
    """Return the response with a user's own account."""
    return UserOut(**{name: getattr(user, name) for name in UserOut.model_fields})


def _login(proof: Proof, now: datetime) -> LoginOut:
    token = logins.begin(proof=proof, now=now, lifetime=tokens.refresh_lifetime())
    return LoginOut(
        access=tokens.access_for(token, now=now, proved_at=proof.proved_at),
        refresh=tokens.refresh_for(token, now=now),
        user=show(proof.user),
    )


def _end_own_session(request: HttpRequest, now: datetime) -> None:
    bearer = request.headers.get("Authorization", "")
    if bearer.lower().startswith("bearer "):
        sessions.end(family=tokens.read_access(bearer[7:]).session, now=now)
    elif auth.PageSession()(request) is not None:
        page_sessions.end(request)
    else:
        raise tokens.InvalidToken
