"""Refused rows tried again: from the table that keeps them, through the plan of today."""

from common.errors import UserError
from connections.connectors.sql import quote_text
from pipelines.engine.destinations.base import REJECTS
from pipelines.engine.destinations.sql import SqlDestination
from pipelines.engine.errors import NothingToReplay
from pipelines.engine.model import TablePlan
from pipelines.engine.session import Session
from pipelines.engine.sqltext import ident

_FETCHED = 5000


class Replay:
    """The refused rows of one target, as raw text in the hub.

    Raises ``NothingToReplay`` from ``relation`` when there are none.
    """

    def __init__(self, destination: object, session: Session, plan: TablePlan) -> None:
        if not isinstance(destination, SqlDestination):
            raise UserError(
                f"{plan.resource}: rows that were refused cannot be tried again from Parquet files.",
                field="options.replay_rejects",
                remedy="Correct them at the source and load it again, or throw them away.",
            )
        self._destination, self._session, self._plan = destination, session, plan
        #: In the destination's SQL: the rows that are taken up.
        self.condition = f"table_name = {destination.text(plan.target)}"
        self._last = ""

    def relation(self) -> str:
        """A relation with c0, c1, … as text, made of the JSON that was kept."""
        con, plan = self._session.connection, self._plan
        con.execute("CREATE OR REPLACE TEMP TABLE refused_rows (row_json JSON, read_by VARCHAR)")
        after = ""
        while rows := self._page(after):
            con.executemany("INSERT INTO refused_rows VALUES (?, ?)", [[*row[1:]] for row in rows])
            after = str(rows[-1][0])
        if not after:
            raise NothingToReplay(
                f"{plan.resource} has no refused rows.", field="options.replay_rejects"
            )
        # What is refused meanwhile is not taken away with them.
        self.condition += f" AND reject_id <= {self._destination.text(after)}"
        fields = ", ".join(
            f"json_extract_string(row_json, {quote_text(_path(column.source))}) AS c{index}"
            for index, column in enumerate(plan.columns)
        )
        return f"(SELECT {fields}, read_by FROM temp.main.refused_rows)"

    def _page(self, after: str) -> list[tuple[str, str, str]]:
        found = self._destination
        rows = found.query(
            f"SELECT reject_id, row_json, load_id FROM {found.table(REJECTS)} WHERE {self.condition}"
            f" AND reject_id > {found.text(after)} ORDER BY reject_id LIMIT {_FETCHED}"
        )
        return [(str(row[0]), str(row[1]), str(row[2])) for row in rows]


def _path(name: str) -> str:
    return f"$.{ident(name)}" if '"' not in name else "$." + ident(name.replace('"', '\\"'))
