"""Users, the refresh tokens of their sessions, and the attempts to log in."""

import uuid
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from multitask.users import names, time_zones

_SESSION_SALT = "multitask.users.session"


class StaffRole(models.TextChoices):
    """The role of a staff member; empty for all other users."""

    NONE = "", "not staff"
    SUPPORT = "support", "support"
    FINANCE = "finance", "finance"
    ADMIN = "admin", "admin"


class UserManager(BaseUserManager["User"]):
    """Creates users for Django's own commands; people register through `accounts`."""

    def create_user(self, username: str, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a user with a hashed password; the address counts as confirmed. Raises ValidationError."""
        address = names.email(email)
        if address is None:
            raise ValidationError(f"This is not an email address: {email!r}")
        if not username.isascii():
            raise ValidationError(f"A username is written in ASCII, or nobody signs in with it: {username!r}")
        fields.setdefault("email_confirmed_at", timezone.now())
        user = self.model(username=username, email=address, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make an administrator."""
        fields.update(staff_role=StaffRole.ADMIN, is_staff=True, is_superuser=True)
        return self.create_user(username, email, password, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. One may be client and freelancer at once, never both sides of one task."""

    id = models.BigAutoField(primary_key=True)
    username = models.CharField(max_length=150, unique=True)
    # In the normal form of `names.email`. Several accounts may claim an address; one alone has confirmed it.
    email = models.EmailField(max_length=254)
    email_confirmed_at = models.DateTimeField(null=True, editable=False)
    # How often all sessions of this user were ended; a page's session carries it in its hash.
    session_epoch = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    is_client = models.BooleanField(default=False)
    is_freelancer = models.BooleanField(default=False)
    staff_role = models.CharField(max_length=10, blank=True, default=StaffRole.NONE, choices=StaffRole.choices)
    is_staff = models.BooleanField(default=False, editable=False)
    is_active = models.BooleanField(default=True)
    country = models.CharField(max_length=2, default="US")
    default_currency = models.CharField(max_length=3, default="USD")
    language = models.CharField(max_length=10, default="en")
    time_zone = models.CharField(max_length=50, default="UTC")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        """Constraints on the form of addresses and codes and on the staff flags."""

        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["email", "id"], name="users_user_email")]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(Lower("username"), name="users_user_username_unique"),
            models.UniqueConstraint(
                fields=["email"],
                condition=models.Q(email_confirmed_at__isnull=False),
                name="users_user_email_confirmed_unique",
            ),
            models.CheckConstraint(
                # ASCII without control characters and without capital letters.
                condition=models.Q(email__regex=r"^[\u0020-\u0040\u005b-\u007e]*$"),
                name="users_user_email_normal",
            ),
            models.CheckConstraint(
                condition=models.Q(staff_role__in=StaffRole.values),
                name="users_user_staff_role",
            ),
            models.CheckConstraint(
                condition=models.Q(is_staff=False, staff_role="")
                | (models.Q(is_staff=True) & ~models.Q(staff_role="")),
                name="users_user_staff_in_step",
            ),
            models.CheckConstraint(
                condition=models.Q(is_superuser=False) | models.Q(staff_role=StaffRole.ADMIN),
                name="users_user_superuser_is_admin",
            ),
            models.CheckConstraint(
                condition=models.Q(country__regex=r"^[A-Z]{2}$"),
                name="users_user_country",
            ),
            models.CheckConstraint(
                condition=models.Q(default_currency__regex=r"^[A-Z]{3}$"),
                name="users_user_currency",
            ),
        ]

    @property
    def zone(self) -> ZoneInfo:
        """The time zone; UTC if the stored name is no longer known."""
        return time_zones.named(self.time_zone)

    @property
    def email_confirmed(self) -> bool:
        """Whether the address was confirmed by the link sent to it."""
        return self.email_confirmed_at is not None

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return the hash that page sessions store; it changes with the password and when all sessions end."""
        if not self.session_epoch:
            # As Django does it: sessions from before there was an epoch go on.
            return str(super()._get_session_auth_hash(secret=secret))  # type: ignore[misc]
        proved = f"{self.session_epoch}:{self.password}"
        return salted_hmac(_SESSION_SALT, proved, secret=secret, algorithm="sha256").hexdigest()

    def __str__(self) -> str:
        """Show the username."""
        return self.username


class RefreshToken(models.Model):
    """One refresh token. All tokens that rotate out of one login share its `family`."""

    jti = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="refresh_tokens")
    family = models.UUIDField(db_index=True)
    # The second factor that the session was proved by: a device's id, which no later device has.
    proved_by = models.BigIntegerField(null=True)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        """At most one token of a family can still be used."""

        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["family"],
                condition=models.Q(used_at=None, revoked_at=None),
                name="users_refresh_one_live",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("issued_at")),
                name="users_refresh_expires_later",
            ),
        ]

    def __str__(self) -> str:
        """Show the token's id, which is no secret."""
        return str(self.jti)


class LoginAttempt(models.Model):
    """One attempt to log in, or at something else that can be guessed or flooded; each `purpose` counts apart."""

    id = models.BigAutoField(primary_key=True)
    purpose = models.CharField(max_length=20, default="login", db_default="login")
    identifier = models.CharField(max_length=254)
    # The visitor: an IPv4 address, or the first address of a /64. `exact_ip` tells those who share a /64 apart.
    ip = models.GenericIPAddressField(null=True)
    exact_ip = models.GenericIPAddressField(null=True)
    attempted_at = models.DateTimeField(db_index=True)
    succeeded = models.BooleanField(default=False)

    class Meta:
        """An index for each count of the throttle."""

        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["ip", "attempted_at"], name="users_attempt_ip"),
            models.Index(fields=["identifier", "attempted_at"], name="users_attempt_identifier"),
        ]

    def __str__(self) -> str:
        """Show the identifier and the time."""
        return f"{self.identifier} at {self.attempted_at:%Y-%m-%d %H:%M:%S}"
