"""The catalogue against errors recorded on real systems, and a part of them provoked anew."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from common.children.endings import ending_event
from common.children.failures import error_event
from common.errors import DatanikaError, UserError
from common.redaction import Redactor
from common.signatures import signature_of
from orchestration.explanations import CATALOGUE, Kind, Who, explain, fingerprint_of
from orchestration.explanations.fingerprints import outline_of
from orchestration.explanations.reference import reference
from orchestration.tests import errors_builds as builds
from orchestration.tests import errors_loads as loads
from orchestration.tests import errors_local as local
from orchestration.tests import errors_servers as servers
from orchestration.tests.errors_record import FILE, all_cases
from orchestration.tests.errors_world import Case, World

CORPUS: list[dict[str, Any]] = json.loads(FILE.read_text())
#: Of whole loads, those whose errors take the longest way.
LOADS = (
    "PostgreSQL: load by a cursor of json",
    "PostgreSQL: filter by no value of the enum",
    "PostgreSQL: wrong password",
    "PostgreSQL: nobody listens",
    "MariaDB: query of a column that is gone",
    "MariaDB: a database closed to the user",
    "CSV: ragged",
    "Contract: a new column",
)


def known(row: dict[str, Any]) -> str:
    event = row["event"]
    found = explain(event["code"], event["signature"], row["step"])
    return found.key if found else ""


# The catalogue -----------------------------------------------------------------------------------


def test_every_entry_says_cause_remedy_and_who() -> None:
    assert len(CATALOGUE) >= 100
    for entry in CATALOGUE:
        for text in (entry.title, entry.cause, entry.remedy):
            assert str(text)[:1].isupper(), entry.key
        assert str(entry.cause).endswith("."), entry.key
        assert re.search(r"[.;)]$", str(entry.remedy)), entry.key
        assert not str(entry.title).endswith("."), entry.key
        assert entry.who in Who
        assert entry.who_words
        assert entry.marks, entry.key
        assert entry.places or entry.who is Who.NOBODY, entry.key


def test_no_two_entries_are_the_same() -> None:
    keys = Counter(entry.key for entry in CATALOGUE)
    titles = Counter((str(entry.title), entry.kind) for entry in CATALOGUE)
    remedies = Counter((str(entry.cause), str(entry.remedy)) for entry in CATALOGUE)
    for counted in (keys, titles, remedies):
        assert [name for name, count in counted.items() if count > 1] == []


def test_no_mark_leads_to_two_entries() -> None:
    marks = Counter((entry.kind, mark) for entry in CATALOGUE for mark in entry.marks)
    assert [mark for mark, count in marks.items() if count > 1] == []
    everywhere = {mark for entry in CATALOGUE if not entry.kind for mark in entry.marks}
    alone = {mark for entry in CATALOGUE if entry.kind for mark in entry.marks}
    # What holds for both kinds of step and for one of them would depend on the order of the catalogue.
    assert everywhere & alone == set()


def test_every_mark_is_found_and_leads_to_its_entry() -> None:
    for entry in CATALOGUE:
        for mark in entry.marks:
            kind = str(entry.kind)
            if mark.startswith("code:"):
                found = explain(mark.removeprefix("code:"), "", kind)
            else:
                found = explain("invalid", mark.replace("*", "zz"), kind)
            assert found is entry, (mark, found)


def test_what_is_told_apart_by_the_kind_of_step() -> None:
    in_load = explain("invalid", "sqlstate:42P01", Kind.LOAD)
    in_build = explain("transform_failed", "sqlstate:42P01", Kind.BUILD)
    assert in_load is not None
    assert in_build is not None
    assert (in_load.key, in_build.key) == ("missing-table", "sql-missing-table")


@pytest.mark.parametrize(
    ("code", "signature"),
    [
        ("internal_error", "python:KeyError"),
        ("invalid", "sqlstate:F0001"),
        ("invalid", "mysql:9999"),
        ("internal_error", ""),
        ("invalid", "something:else"),
        ("", ""),
    ],
)
def test_what_is_not_known_is_not_explained(code: str, signature: str) -> None:
    assert explain(code, signature) is None


def test_the_documentation_is_current() -> None:
    file = Path(settings.BASE_DIR) / "docs" / "errors.md"
    assert file.read_text() == reference(), "run: datanika errors_reference"


# The corpus --------------------------------------------------------------------------------------


def test_nearly_every_recorded_error_is_explained_and_none_wrongly() -> None:
    assert len(CORPUS) >= 150
    assert {row["name"] for row in CORPUS} == {case.name for case in all_cases()}
    wrong = {row["name"]: known(row) for row in CORPUS if known(row) not in {row["expects"], ""}}
    assert wrong == {}
    unknown = [row["name"] for row in CORPUS if not known(row)]
    assert len(unknown) <= len(CORPUS) * 0.05, unknown


def test_most_of_the_corpus_is_recognized_closely() -> None:
    """Not by a whole class of errors: those say little."""
    broad = [
        row["name"]
        for row in CORPUS
        if (found := explain(row["event"]["code"], row["event"]["signature"], row["step"]))
        and found.broad
    ]
    assert len(broad) <= len(CORPUS) * 0.15, broad


def test_errors_of_one_cause_share_a_fingerprint_and_others_do_not() -> None:
    """Within the corpus: nothing that has two explanations has one fingerprint."""
    by_print: dict[str, set[str]] = {}
    for row in CORPUS:
        # What is one error in both kinds of step.
        key = known(row).removeprefix("sql-")
        by_print.setdefault(fingerprint_of(row["event"]), set()).add(key)
    assert {mark: keys for mark, keys in by_print.items() if len(keys) > 1} == {}
    assert all(re.fullmatch(r"[0-9a-f]{16}", mark) for mark in by_print)


def test_no_secret_is_in_the_corpus_or_its_outlines() -> None:
    text = FILE.read_text() + " ".join(outline_of(row["event"]["message"]) for row in CORPUS)
    places = ("/" + name + "/" for name in ("tmp", "root", "home"))
    for secret in ("tulip-47", "rose-47", "password=", *places):
        assert secret not in text


# Provoked anew -----------------------------------------------------------------------------------


def provoked(case: Case, world: World) -> tuple[str, str]:
    event = case.provoke(world)
    found = explain(event["code"], event["signature"], case.step)
    return case.name, found.key if found else ""


@pytest.fixture
def world(postgres_url: str, mariadb_url: str, tmp_path: Path) -> World:
    return World(postgres_url, mariadb_url, tmp_path)


@pytest.mark.parametrize("system", ["PostgreSQL", "MariaDB"])
def test_errors_of_servers(world: World, system: str) -> None:
    cases = [case for case in servers.cases() if case.system == system]
    found = dict(provoked(case, world) for case in cases)
    assert found == {case.name: case.expects for case in cases}


@pytest.mark.parametrize("system", ["SQLite", "DuckDB", "System"])
def test_errors_of_this_machine(world: World, system: str) -> None:
    cases = [case for case in local.cases() if case.system == system]
    found = dict(provoked(case, world) for case in cases)
    assert found == {case.name: case.expects for case in cases}


def test_errors_of_loads(world: World) -> None:
    cases = [case for case in loads.cases() if case.name in LOADS]
    assert len(cases) == len(LOADS)
    found = dict(provoked(case, world) for case in cases)
    assert found == {case.name: case.expects for case in cases}


@pytest.mark.chaos
def test_all_errors_of_loads_and_builds(world: World) -> None:
    cases = [*loads.cases(), *builds.cases()]
    try:
        found = dict(provoked(case, world) for case in cases)
    finally:
        builds.close()
    assert found == {case.name: case.expects for case in cases}


# Fingerprints ------------------------------------------------------------------------------------


def event(message: str, signature: str = "", code: str = "invalid", **more: str) -> dict[str, str]:
    return {"code": code, "signature": signature, "message": message, **more}


@pytest.mark.parametrize(
    "messages",
    [
        (
            'Loading public.orders failed: relation "orders_17" does not exist.',
            'Loading public.order_lines failed: relation "x" does not exist.',
        ),
        (
            "Loading orders failed: operator does not exist: json > unknown.",
            "Loading customers failed: operator does not exist: json > unknown.",
        ),
        (
            "Failed: daily (line 3, column 5: division by zero). Skipped behind it: 4.",
            "Failed: stg_orders (line 30: division by zero).",
        ),
        (
            "orders: the counts do not agree: 10 read, 9 loaded.",
            "users: the counts do not agree: 1,204 read, 7 loaded.",
        ),
        (
            "db.example.com:5432 refused the connection.",
            "10.0.0.7:15432 refused the connection.",
        ),
        (
            "The work stopped at 2026-11-25T02:15:00Z on /srv/data/files/7/a.csv (id 42).",
            "The work stopped at 2027-01-01 00:00 on /mnt/b.csv (id 9).",
        ),
        (
            "3 of 8 tables failed; the others were loaded. Loading a failed: no room. Loading b failed: no room.",
            "2 of 4 tables failed; the others were loaded. Loading c failed: no room. Loading d failed: no room.",
        ),
        (
            "The API key 9f86d081884c7d659a2feaa0c55ad015 was refused for olga@example.com.",
            "The API key 2c26b46b68ffc68ff99b453c1d304134 was refused for ivan@example.org.",
        ),
    ],
)
def test_names_numbers_and_times_make_no_difference(messages: tuple[str, str]) -> None:
    first, second = (fingerprint_of(event(message)) for message in messages)
    assert first == second, [outline_of(message) for message in messages]


def test_causes_make_a_difference() -> None:
    events = [
        event("Loading orders failed: no room."),
        event("Loading orders failed: no right."),
        event("Loading orders failed: no room.", "sqlstate:53100"),
        event("Loading orders failed: no room.", "sqlstate:53200"),
        event("Loading orders failed: no room.", code="disk_full"),
        event("It stopped.", "python:KeyError", detail='File "a.py", line 3, in load\nKeyError'),
        event("It stopped.", "python:KeyError", detail='File "b.py", line 3, in load\nKeyError'),
    ]
    assert len({fingerprint_of(one) for one in events}) == len(events)
    moved = event(
        "It stopped.", "python:KeyError", detail='File "b.py", line 99, in load\nKeyError'
    )
    assert fingerprint_of(moved) == fingerprint_of(events[-1])


def test_no_error_has_no_fingerprint() -> None:
    assert fingerprint_of({}) == ""


# Signatures --------------------------------------------------------------------------------------


def test_the_mark_of_a_cause_reaches_the_event() -> None:
    error = UserError("It could not be loaded.")
    error.__cause__ = ConnectionResetError(104, "Connection reset by peer")
    assert error.as_event()["signature"] == "errno:ECONNRESET"
    assert error_event(error)["signature"] == "errno:ECONNRESET"
    assert DatanikaError("Nothing below.").as_event()["signature"] == ""
    assert error_event(KeyError("a"))["signature"] == "python:KeyError"
    assert ending_event(-9, stopped_by_us=False, detail="")["signature"] == "exit:-9"


def test_a_mark_set_by_hand_wins() -> None:
    error = UserError("It could not be loaded.")
    error.signature = "mysql:1045"
    error.__cause__ = OSError(28, "No space left on device")
    assert signature_of(error) == "mysql:1045"


def test_a_mark_is_never_masked_and_a_message_is() -> None:
    masked = Redactor(["1045", "mysql:1045", "tulip"]).event(
        event("The password tulip is wrong.", "mysql:1045")
    )
    assert masked["signature"] == "mysql:1045"
    assert "tulip" not in masked["message"]
