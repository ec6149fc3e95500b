"""The tables of docs/roles.md say what the code asks."""

from itertools import pairwise

import pytest

from common.access import PERMISSION_WORDS, ROLE_ORDER, ROLE_PERMISSIONS, Permission, Role
from scripts import roles


def test_the_page_has_the_tables_of_the_code() -> None:
    assert roles.main(["--check"]) == 0


def test_a_change_of_the_table_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that cannot fail is none: take a right away, and the page is out of date."""
    less = {**ROLE_PERMISSIONS, Role.VIEWER: frozenset({Permission.BELONG})}
    monkeypatch.setattr(roles, "ROLE_PERMISSIONS", less)
    assert roles.main(["--check"]) == 1


def test_every_role_has_all_that_weaker_ones_have() -> None:
    assert set(ROLE_ORDER) == set(Role)
    for weaker, stronger in pairwise(ROLE_ORDER):
        assert ROLE_PERMISSIONS[weaker] < ROLE_PERMISSIONS[stronger]


def test_every_permission_is_somebodys_and_has_words() -> None:
    assert ROLE_PERMISSIONS[Role.OWNER] == set(Permission)
    assert set(PERMISSION_WORDS) == set(Permission)
