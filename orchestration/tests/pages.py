"""Asking for a page as a browser does, and what has to be true of every answer."""

import re

from django.http import HttpResponse
from django.test import Client

HTMX = {"HX-Request": "true"}


def get(client: Client, url: str, *, htmx: bool = False, status: int = 200) -> str:
    response: HttpResponse = client.get(url, headers=HTMX if htmx else {})  # type: ignore[assignment]
    assert response.status_code == status, (url, response.status_code)
    text = response.content.decode()
    if status == 200 and "<html" in text:
        assert len(re.findall("<h1", text)) == 1
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), sorted(i for i in ids if ids.count(i) > 1)
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script(?![^>]*\bsrc=)", text)
    return text
