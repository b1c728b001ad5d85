"""All texts of the pages, the back office and the emails have an Arabic translation."""

import io
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from babel.messages import Message
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from django.utils import translation
from django.utils.translation.template import templatize

from multitask.errors import DomainError
from multitask.payments.errors import ProviderRefused
from multitask.providers.stripe import errors
from multitask.web.pages.base import error_messages

ROOT = Path(__file__).parents[2]
MULTITASK = ROOT / "multitask"
KEYWORDS: dict[str, tuple[int, ...] | None] = dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop", "N_"))
KEYWORDS |= {"ngettext": (1, 2), "ngettext_lazy": (1, 2)}
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%")


@pytest.fixture(scope="module")
def arabic() -> Catalog:
    with (MULTITASK / "web/pages/locale/ar/LC_MESSAGES/django.po").open("rb") as file:
        return read_po(file, locale="ar")


def marked() -> Iterator[str]:
    """The strings that programs and templates mark for translation; of those with a plural, the first."""
    for path in sorted(MULTITASK.rglob("*.py")):
        yield from found_in(path.read_text())
    for path in sorted(MULTITASK.rglob("templates/**/*.*")):
        yield from found_in(templatize(path.read_text()))


def found_in(source: str) -> Iterator[str]:
    for _line, words, _comments, _context in extract("python", io.BytesIO(source.encode()), KEYWORDS):
        yield words if isinstance(words, str) else words[0]


def forms(message: Message) -> list[str]:
    """What it says in Arabic, for each kind of number if it counts something."""
    return [message.string] if isinstance(message.string, str) else list(message.string or [""])


def test_every_marked_string_has_its_arabic(arabic: Catalog) -> None:
    known = {message.id if isinstance(message.id, str) else message.id[0] for message in arabic if message.id}
    found = set(marked())
    assert len(found) > 900
    assert not found - known


# Only programs meet these: the API, and callers of the ledger.
_FOR_PROGRAMS = ("multitask.ledger", "multitask.web.api")
_CODES_FOR_PROGRAMS = {
    "idempotency_key_reused", "otp_required", "refresh_token_reused", "session_ended", "task_refused", "unknown_object",
    "user_refused",
}  # fmt: skip


def refusals(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from refusals(inner)


def test_every_refusal_that_people_meet_has_its_arabic(arabic: Catalog) -> None:
    # Loads every module that defines one.
    import_module("multitask.config.urls")
    shown = [each for each in refusals() if each.__module__.startswith("multitask.")]
    shown = [each for each in shown if not each.__module__.startswith(_FOR_PROGRAMS)]
    assert len(shown) > 60
    english = {each.code for each in shown if each.code not in error_messages.BY_CODE and each.message not in arabic}
    assert not english - _CODES_FOR_PROGRAMS


def test_what_is_stored_of_a_refusal_by_the_provider_has_its_arabic(arabic: Catalog) -> None:
    assert len(errors.SENTENCES) > 10
    assert not [sentence for sentence in errors.SENTENCES.values() if sentence not in arabic]


def test_a_client_whose_customer_was_deleted_is_told_what_to_do_in_arabic() -> None:
    sentence = errors.SENTENCES["customer_gone"]
    refusal = ProviderRefused(sentence, detail="customer_gone")
    with translation.override("en"):
        assert error_messages.of(refusal) == sentence
    with translation.override("ar"):
        assert error_messages.of(refusal) == "حُذفت بياناتك المحفوظة لدى مزوّد الدفع. حاول مرة أخرى."
        assert error_messages.of(ProviderRefused(detail="other")) == "رفض مزوّد الدفع هذا."


def test_no_translation_is_missing_or_a_guess(arabic: Catalog) -> None:
    unfinished = [message.id for message in arabic if message.id and (message.fuzzy or not all(forms(message)))]
    assert not unfinished


def test_counted_things_have_all_six_forms(arabic: Catalog) -> None:
    assert not [message.id for message in arabic if message.pluralizable and len(forms(message)) != 6]


def test_each_translation_names_what_its_original_names(arabic: Catalog) -> None:
    different = []
    for message in arabic:
        original = message.id if isinstance(message.id, str) else message.id[-1]
        names = set(PLACEHOLDER.findall(original))
        # One and two are said in the noun itself.
        spare = {"%(number)s", "%(count)s", "%(counter)s"} if message.pluralizable else set()
        different += [form for form in forms(message) if not names - spare <= set(PLACEHOLDER.findall(form)) <= names]
    assert not different
