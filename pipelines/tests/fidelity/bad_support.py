"""What every failed load owes, whatever went wrong."""

import json
from collections.abc import Iterable
from typing import Any

from pipelines.tests.fidelity.ends import End
from pipelines.tests.fidelity.support import Ended, Pipeline

#: Marks of what a person must not be shown.
_FORBIDDEN = ("Traceback (most recent call last)", 'File "', "site-packages", "<frozen ")


def failed(
    ended: Ended, pipeline: Pipeline, tables: Iterable[str], *words: str, transient: bool = False
) -> dict[str, Any]:
    """The one error of a load: it names the failed tables and, with the results, the cause in these words."""
    error = ended.error
    assert error is not None, f"the load succeeded: {ended.events[-1]}"
    assert error["transient"] is transient, error
    assert error["code"] != "internal_error", error
    said = json.dumps([error, *ended.results.values()], ensure_ascii=False)
    for table in tables:
        assert table in error["message"], f"{table} is not named: {error}"
        result = ended.results.get(table)
        assert result is None or result["status"] == "failed", result
    for word in words:
        assert word.lower() in said.lower(), f"{word!r} is not said: {said}"
    assert error["message"].endswith("."), error
    assert transient or error["remedy"], f"no remedy: {error}"
    shows_nothing(ended, pipeline)
    return error


def shows_nothing(ended: Ended, pipeline: Pipeline) -> None:
    """No secret, no traceback, no place of this machine in any event."""
    said = json.dumps([*ended.events, ended.error], ensure_ascii=False, default=str)
    secrets = {
        value
        for end in ("source", "destination")
        for value in pipeline.spec[end]["secrets"].values()
        if value
    }
    for word in (*_FORBIDDEN, *secrets, pipeline.spec["hash_key"], pipeline.spec["files_root"]):
        assert word not in said, f"{word!r} is shown: {said[:3000]}"


def untouched(ended: Ended, end: End, loaded: dict[str, int], missing: Iterable[str]) -> None:
    """These tables were loaded with so many rows and say so; those are not there, and nothing is half done."""
    for name, rows in loaded.items():
        result = ended.results.get(name)
        assert result is not None, f"{name} has no result"
        assert result["status"] == "succeeded", result
        assert result["rows_loaded"] == rows, result
        assert len(end.read(end.dataset, name).rows) == rows, name
    standing = end.tables(end.dataset)
    assert not standing & set(missing), f"half done: {standing & set(missing)}"
    assert not end.leftovers(set(loaded)), end.leftovers(set(loaded))
