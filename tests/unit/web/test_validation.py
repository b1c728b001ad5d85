"""Messages for requests that do not match their schema."""

import re

import pytest
from pydantic import TypeAdapter

from multitask.money import Money
from multitask.web.api.schemas import AmountIn


@pytest.mark.parametrize(("amount", "currency"), [("1200", "JPY"), ("85.00", "USD"), ("3.250", "KWD")])
def test_the_pattern_of_amounts_welcomes_the_decimals_of_every_currency(amount: str, currency: str) -> None:
    assert Money.parse(amount, currency).to_major_string() == amount
    texts = TypeAdapter(AmountIn).json_schema()["anyOf"][0]
    assert re.search(texts["pattern"], amount)
