"""A broker that is away, in the log of beat and worker: one line now and then, not a traceback a second.

Celery and kombu say each failed try at length. Here the first is told with what is done about it, the others are
counted, and no more than one line every ``EVERY_SECONDS`` is written until the broker answers again, which is told too.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator

from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

EVERY_SECONDS = 30.0
#: The loggers of those that speak to the broker, and those of them that are imported late.
_SPEAKERS = ("celery", "kombu", "datanika")
_LATE = (
    "celery.beat",
    "celery.worker.consumer.connection",
    "celery.worker.consumer.consumer",
    "celery.worker.consumer.tasks",
    "celery.worker.control",
    "celery.worker.pidbox",
    "datanika.alerts",
    "datanika.runs",
    "kombu.connection",
)
_BROKER: tuple[type[BaseException], ...] = (
    OperationalError,
    RedisConnectionError,
    RedisTimeoutError,
)
#: Of these a plain ``ConnectionError`` is the broker's too; a task may have lost something else.
_CONNECTED = ("celery.beat", "celery.worker", "kombu")
_WHAT = (
    "Nothing is lost: what is due stands in the database, every worker looks there by itself"
    " once a second and does the work of beat meanwhile. It is tried again all the time."
)

logger = logging.getLogger("datanika.broker")


class OutageFilter(logging.Filter):
    """Turns records that tell of a broker that is away into one line; lets all others pass."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._began: float | None = None
        self._told = 0.0
        self._untold = 0

    def filter(self, record: logging.LogRecord) -> bool:
        error = next(_broker_errors(record), None)
        if error is None:
            return True
        now = self._clock()
        with self._lock:
            if self._began is None:
                text = f"The broker does not answer ({_words(error)}). {_WHAT}"
                self._began = now
            elif now - self._told < EVERY_SECONDS:
                self._untold += 1
                return False
            else:
                text = (
                    f"The broker has not answered for {now - self._began:.0f} s ({_words(error)});"
                    f" {self._untold + 1} more failed tries. {_WHAT}"
                )
            self._told, self._untold = now, 0
        record.msg, record.args = text, None
        record.exc_info = record.exc_text = record.stack_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True

    def is_over(self) -> None:
        """The broker took something, or gave it."""
        with self._lock:
            began, untold = self._began, self._untold
            self._began, self._untold = None, 0
        if began is not None:
            text = "The broker answers again after %.0f s; %s failed tries were not told each by itself."
            logger.warning(text, self._clock() - began, untold)


#: Of this process.
OUTAGES = OutageFilter()


def watch_loggers() -> None:
    """Put the filter of this process in place; a filter sees what is logged at its own logger alone."""
    for name in {*logging.root.manager.loggerDict, *_LATE}:
        if name.partition(".")[0] in _SPEAKERS and name != logger.name:
            found = logging.getLogger(name)
            if OUTAGES not in found.filters:
                found.addFilter(OUTAGES)


def _broker_errors(record: logging.LogRecord) -> Iterator[BaseException]:
    """The errors that the record tells of, those behind them included, as far as they are the broker's."""
    if record.name.startswith("datanika") and "broker" not in str(record.msg):
        return
    kinds = _BROKER
    if record.name.startswith(_CONNECTED) or record.name.startswith("datanika"):
        kinds = (*_BROKER, ConnectionError)
    told = list(record.args) if isinstance(record.args, tuple) else []
    told += [record.exc_info[1]] if record.exc_info else []
    for error in told:
        while isinstance(error, BaseException):
            if isinstance(error, kinds):
                yield error
            error = error.__cause__ or error.__context__


def _words(error: BaseException) -> str:
    text = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return text[:200] or type(error).__name__
