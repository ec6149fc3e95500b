"""Providers of sign-ins whose replies a test gives."""

from typing import Any

import pytest
import requests
from django.core.cache import cache

from tenants.models import IdentityProvider
from tenants.tests.provider_replies import Replies, make


@pytest.fixture
def replies(monkeypatch: pytest.MonkeyPatch) -> Replies:
    made = Replies()

    def send(_adapter: Any, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        return made.send(request)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    cache.clear()
    return made


@pytest.fixture
def google(db: None) -> IdentityProvider:
    return make("google")


@pytest.fixture
def main(db: None) -> IdentityProvider:
    return make("openid_connect")
