"""Strict JSON: values are read exactly as written, and ambiguous bodies are refused."""

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitask.web.api.parsing import DEEPEST, InvalidJson, InvalidText, Number, parse_json

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
SCALARS = st.none() | st.booleans() | st.integers() | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=10
)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**15), max_value=10**15))
def test_a_fraction_keeps_its_digits(value: Decimal) -> None:
    number = parse_json(f'{{"n": {value}}}'.encode())["n"]
    assert isinstance(number, Number)
    assert (number, number.literal) == (value, str(value))


@given(st.binary(max_size=200))
def test_anything_else_is_refused_and_nothing_else_is_raised(body: bytes) -> None:
    with suppress(InvalidJson, InvalidText):
        assert isinstance(parse_json(body), dict)


def _nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def test_depth_is_bounded() -> None:
    # The innermost number counts as a level of its own.
    assert parse_json(_nested(DEEPEST - 1))
    for depth in (DEEPEST, 500, 100_000):
        with pytest.raises(InvalidJson):
            parse_json(_nested(depth))


def test_a_surrogate_pair_is_one_character_and_half_of_one_is_refused() -> None:
    assert parse_json(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}
    with pytest.raises(InvalidText):
        parse_json(b'{"a": "\\ude00\\ud83d"}')
