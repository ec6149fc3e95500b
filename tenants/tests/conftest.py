"""Providers of sign-ins whose replies a test gives, and the mail that pages ask for."""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMessage

from tenants import tasks
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


@dataclass
class Post:
    """Mail that pages have asked for. The worker that writes it is ``deliver``."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def deliver(self) -> list[EmailMessage]:
        """Write what was asked for; the new messages."""
        before, asked = len(mail.outbox), list(self.asked)
        self.asked.clear()
        for arguments in asked:
            tasks.write_mail(*arguments)
        return list(mail.outbox[before:])

    def link(self) -> str:
        """The path of the one link in the one message that is delivered."""
        (message,) = self.deliver()
        (link,) = re.findall(
            r"http://localhost:8000(\S+/[\w:.=-]+/)$", str(message.body), re.MULTILINE
        )
        return str(link)


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    made = Post()
    monkeypatch.setattr(
        "tenants.tasks.write_mail.apply_async",
        lambda arguments, **options: made.asked.append(arguments),
    )
    cache.clear()
    return made
