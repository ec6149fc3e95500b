"""The backend's connection. Sessions are kept between requests, so the scope is told again whenever it has changed."""

from typing import Any

from django.db.backends.postgresql import base

from common import scope


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose queries run in ``common.scope.current()``.

    The scope is a setting of the session, told before the first query after a change: a pool between Datanika and
    PostgreSQL has to keep sessions, not hand them out by transaction.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: What the server was told last; None where that is not known.
        self._told: str | None = None

    def init_connection_state(self) -> None:
        self._told = None
        super().init_connection_state()

    def create_cursor(self, name: str | None = None) -> Any:
        wanted = scope.current()
        if wanted != self._told:
            with self.wrap_database_errors:
                self.connection.execute(
                    f"SELECT set_config('{scope.SETTING}', %s, false)", [wanted]
                )
            self._told = wanted
        return super().create_cursor(name)

    # A rollback takes back what was set since the transaction, or the savepoint, began.

    def _rollback(self) -> None:
        self._told = None
        super()._rollback()  # type: ignore[misc] # the stubs leave it out

    def _savepoint_rollback(self, sid: str) -> None:
        # After an error the transaction takes nothing else than this, so nothing is told here.
        self._told = scope.current()
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        self._told = None
