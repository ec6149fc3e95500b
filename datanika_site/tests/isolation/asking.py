"""Asking, and what is looked at of an answer: who may tell two of them apart, and what they give away."""

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.forms import BaseForm
from django.http import QueryDict
from django.test import Client

from datanika_site.tests.isolation.world import (
    ABSENT,
    ABSENT_ID,
    CANARY,
    FOREIGN,
    FOREIGN_ID,
    undone,
)

JSON = "application/json"
#: Of a request, not of what was asked for.
_OF_THE_MOMENT = (
    re.compile(r'name="csrfmiddlewaretoken" value="[^"]*"'),
    re.compile(r'"X-CSRFToken": "[^"]*"'),
    re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?"),
    re.compile(r"\b([0-9a-f]{12}|[0-9a-f]{32})\b"),
    re.compile(r"\b\d\d:\d\d(:\d\d(\.\d+)?)?\b"),
    re.compile(r"\b(\d+ \w+ ago|just now|now)\b"),
    re.compile(r"etf_[\w-]+|whsec_[\w+/=]+"),
)
#: What a refusal may write: that it happened, and when somebody was last seen.
_NOTED = re.compile(
    r'^(INSERT INTO|UPDATE) "(audit_\w+|django_session|tenants_(membership|apikey|tokenfamily|browsersession))"'
)
_WRITES = re.compile(r"^(INSERT|UPDATE|DELETE|REPLACE)\b")


@dataclass(frozen=True)
class Answer:
    status: int
    target: str
    body: str
    #: Statements that changed rows, and values of the other organization that were read.
    writes: tuple[str, ...] = ()
    taints: tuple[str, ...] = ()

    @property
    def is_in(self) -> bool:
        """Whether it was let through: what is refused for another reason than who asks counts."""
        # 501: a stream that this kind of server cannot give.
        return self.status not in (401, 403, 404) and (self.status < 500 or self.status == 501)

    @property
    def untainted(self) -> "Answer":
        """Without what was read: whoever is known to Acme reads themselves."""
        return replace(self, taints=())

    @property
    def asks_to_sign_in(self) -> bool:
        return self.status == 302 and self.target.startswith("/accounts/login/?next=")


@dataclass
class Watch:
    """What a request did to the database."""

    writes: list[str] = field(default_factory=list)
    taints: list[str] = field(default_factory=list)

    def statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if _WRITES.match(sql) and not _NOTED.match(sql):
            self.writes.append(sql[:120])
        return execute(sql, params, many, context)

    def rows(self, rows: Iterable[Any]) -> None:
        for row in rows:
            for value in row:
                if is_foreign(value):
                    self.taints.append(str(value)[:80])


def is_foreign(value: object) -> bool:
    """Whether only Acme has such a value."""
    if isinstance(value, int):
        return FOREIGN_ID <= value < FOREIGN_ID + 9_000
    return isinstance(value, str) and CANARY in value.lower()


@contextmanager
def watching() -> Iterator[Watch]:
    """Notes every change of a row, and every value of Acme that is read from the database."""
    watch = Watch()

    def one(self: Any) -> Any:
        row = self.cursor.fetchone()
        watch.rows([row] if row else [])
        return row

    def several(self: Any, *size: Any) -> Any:
        rows = self.cursor.fetchmany(*size)
        watch.rows(rows)
        return rows

    def every(self: Any) -> Any:
        rows = self.cursor.fetchall()
        watch.rows(rows)
        return rows

    patched = patch.multiple(
        CursorWrapper, create=True, fetchone=one, fetchmany=several, fetchall=every
    )
    with patched, connection.execute_wrapper(watch.statement):
        yield watch


def ask(
    client: Client,
    method: str,
    url: str,
    data: Any = None,
    *,
    kind: str = "",
    headers: dict[str, str] | None = None,
) -> Answer:
    """The answer to one request, whose changes are taken back."""
    given: dict[str, Any] = {"headers": headers or {}}
    if data is not None:
        given["data"] = data
    if kind or url.startswith("/api/"):
        given["content_type"] = kind or JSON
    if method in ("GET", "HEAD"):
        given.pop("content_type", None)
    client.raise_request_exception = False
    before = copy.deepcopy(client.cookies)
    with undone(), watching() as watch:
        if isinstance(data, bytes):
            given.pop("data")
            response: Any = client.generic(method, url, data, **given)
        else:
            response = getattr(client, method.lower())(url, **given)
        body = _body(response)
    # Signing out, or a message for the next page, must not outlast the rows it belongs to.
    client.cookies = before
    target = response.headers.get("Location", "") or response.headers.get("HX-Redirect", "")
    toast = response.headers.get("HX-Trigger", "")
    return Answer(
        response.status_code, target, body + toast, tuple(watch.writes), tuple(watch.taints)
    )


def ask_page(client: Client, url: str, data: dict[str, str] | None = None) -> Answer:
    """By GET, or by POST where that is the only way."""
    answer = ask(client, "GET", url)
    return ask(client, "POST", url, data) if answer.status == 405 else answer


def _body(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return str(content.decode("utf-8", "replace"))


def same(foreign: Answer, absent: Answer) -> bool:
    """Whether nobody can tell the two apart, but by the words that they sent themselves."""
    return _plain(foreign, FOREIGN, FOREIGN_ID) == _plain(absent, ABSENT, ABSENT_ID)


def difference(foreign: Answer, absent: Answer) -> str:
    """The first place where they differ, for the report."""
    one, other = _plain(foreign, FOREIGN, FOREIGN_ID), _plain(absent, ABSENT, ABSENT_ID)
    if one[:2] != other[:2]:
        return f"{one[:2]} against {other[:2]}"
    if one[2] == other[2]:
        return "nothing"
    pairs = enumerate(zip(one[2], other[2], strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(one[2]), len(other[2])))
    near = slice(max(at - 60, 0), at + 80)
    return f"…{one[2][near]}… against …{other[2][near]}…"


def _plain(answer: Answer, word: str, number: int) -> tuple[int, str, str]:
    texts = []
    for text in (answer.target, answer.body):
        for pattern in _OF_THE_MOMENT:
            text = pattern.sub("", text)
        # A filter shows what it does not know as a heading: Kestrel.
        texts.append(re.sub(f"{word}|{number}", "·", text, flags=re.IGNORECASE))
    return answer.status, texts[0], texts[1]


def leaks(answer: Answer, sent: str = FOREIGN) -> str:
    """What the answer, or what was read for it, has of Acme; ``sent`` is what the asker knew already."""
    text = answer.body.lower() + answer.target.lower()
    if CANARY in text:
        at = text.index(CANARY)
        return f"the body says …{answer.body[max(at - 60, 0) : at + 60]}…"
    if FOREIGN in text and FOREIGN not in sent:
        at = text.index(FOREIGN)
        return f"the body says …{answer.body[max(at - 60, 0) : at + 60]}…"
    # A number that was sent may have been stored, and is read back.
    taints = {taint for taint in answer.taints if taint != str(FOREIGN_ID) or taint not in sent}
    if taints:
        return f"rows of the other organization were read: {sorted(taints)[:5]}"
    return ""


@contextmanager
def noticing() -> Iterator[set[str]]:
    """The names that a view looks for in the query or in the form, whether they are there or not."""
    names: set[str] = set()
    real_item, real_list = QueryDict.__getitem__, QueryDict.getlist
    real_value = BaseForm._widget_data_value  # type: ignore[attr-defined]

    def item(self: Any, key: str) -> Any:
        names.add(key)
        return real_item(self, key)

    def several(self: Any, key: str, default: Any = None) -> Any:
        names.add(key)
        return real_list(self, key, default)

    def has(self: Any, key: object) -> bool:
        names.add(str(key))
        return dict.__contains__(self, key)

    def of_form(self: Any, widget: Any, name: str) -> Any:
        names.add(name)
        return real_value(self, widget, name)

    with (
        patch.multiple(QueryDict, create=True, __getitem__=item, getlist=several, __contains__=has),
        patch.object(BaseForm, "_widget_data_value", of_form),
    ):
        yield names
    names.discard("csrfmiddlewaretoken")
