"""The API's document and its page are built once, since anonymous callers may request them."""

import pytest
from django.test import RequestFactory

from multitask.web.api import document
from multitask.web.api.urls import api


@pytest.mark.parametrize("view", [document.json_view, document.page_view])
def test_each_is_made_once(view) -> None:  # type: ignore[no-untyped-def]
    asked = RequestFactory().get("/")
    assert view(asked, api).content is view(asked, api).content
