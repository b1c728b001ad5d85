"""Sentences of providers are kept without the numbers and addresses that they repeat."""

import pytest

from multitask.text import masking


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("msisdn 01098765432 is not a wallet", "msisdn … is not a wallet"),
        ("EG380019000500000000263180002 is unknown", "… is unknown"),
        ("Card 4111 1111 1111 1111, mona@example.com", "Card …, …"),
        ("٠١٠٩٨٧٦٥٤٣٢ غير مسجل", "… غير مسجل"),
        ("No such charge: ch_3N1234567890", "No such charge: ch_3N1234567890"),
        ("Amount 100000 is above 60000.00", "Amount 100000 is above 60000.00"),
    ],
)
def test_a_sentence_of_a_provider_is_kept_without_numbers(said: str, kept: str) -> None:
    assert masking.sentence(said) == kept
