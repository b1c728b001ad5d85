"""The one normal form of an email address."""

import pytest

from multitask.users import names

KELVIN, LONG_S, DOTLESS_I = "\u212a", "\u017f", "\u0131"


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("ada+tasks@example.com", "ada+tasks@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@faß.example", "ada@xn--fa-hia.example"),
        (f"ada@{KELVIN}iwi.example", "ada@kiwi.example"),
        ("ada@ex\u3002com", "ada@ex.com"),
    ],
)
def test_an_address_has_one_normal_form(written: str, normal: str) -> None:
    assert names.email(written) == normal
    assert names.email(normal) == normal


@pytest.mark.parametrize(
    "written",
    [
        f"{KELVIN}ate@example.com",
        f"ma{LONG_S}on@example.com",
        f"{DOTLESS_I}rene@example.com",
        "jürgen@example.com",
        "ａda@example.com",
        "ada",
        "@example.com",
        "ada@",
        "ada@example.com\nBcc: eve@example.com",
        "ada@exa mple.com",
        "ada@" + "ü" * 100 + ".example",
        "a" * 250 + "@example.com",
        '"kate"@example.com',
        '"kate simon"@example.com',
        "kate@[127.0.0.1]",
        "kate@[::1]",
        "kate@10.0.0.10",
        "",
    ],
)
def test_what_is_no_address_has_none(written: str) -> None:
    assert names.email(written) is None


@pytest.mark.parametrize("strange", [f"{KELVIN}ate", f"ma{LONG_S}on", "İrene"])
def test_case_is_folded_in_ascii_alone(strange: str) -> None:
    assert names.folded(strange) == strange
    assert names.folded("KATE") == "kate"
