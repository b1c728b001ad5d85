"""What the forms say about an amount that has two meanings."""

import pytest
from django.core.exceptions import ValidationError

from multitask.web.pages.base.fields import AmountField


@pytest.mark.parametrize("written", ["1,000", "١،٠٠٠", " EGP 1,000 "])
def test_an_amount_with_one_comma_is_refused_with_the_way_to_write_it(written: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AmountField(currency="EGP").clean(written)
    assert refused.value.messages == ["Is the comma for thousands or for decimals? Write 1234 or 1,234.00."]


@pytest.mark.parametrize("written", ["abc", "1.2.3", "1,00,000"])
def test_other_amounts_are_refused_as_before(written: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AmountField(currency="EGP").clean(written)
    assert "thousands" not in refused.value.messages[0]
