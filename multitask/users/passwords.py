"""How passwords are hashed."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class FrugalArgon2Hasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB and two passes, which OWASP's password storage advice takes for enough.

    Django's own choice is 100 MiB for each login at a time: a few logins at once would hold more
    memory than the whole web process. Hashes made with other settings still verify, and are made
    anew at the next login.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
