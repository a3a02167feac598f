"""What the application remembers: events it has handled, and addresses it must not write to again."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS handled (id TEXT PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE IF NOT EXISTS suppressed (email TEXT PRIMARY KEY, reason TEXT NOT NULL);
"""


class Store:
    """A SQLite file. In your application this is your own database."""

    def __init__(self, path: str) -> None:
        self._path = path
        with self._transaction() as connection:
            connection.executescript(SCHEMA)

    def handle(self, events: Iterable[dict[str, Any]]) -> int:
        """Handle all *events* or none, each once; the number that was new.

        The id of an event and its effects are written in one transaction. If the process crashes before the commit,
        nothing is remembered, the sender gets no 2xx and sends the event again.
        """
        new = 0
        with self._transaction() as connection:
            for event in events:
                inserted = connection.execute("INSERT OR IGNORE INTO handled (id) VALUES (?)", (event["id"],))
                if inserted.rowcount:
                    new += 1
                    for email, reason in to_suppress(event):
                        connection.execute("INSERT OR IGNORE INTO suppressed VALUES (?, ?)", (email.lower(), reason))
        return new

    def is_suppressed(self, email: str) -> bool:
        """Whether *email* must get no more mail. Ask before you send."""
        with self._transaction() as connection:
            found = connection.execute("SELECT 1 FROM suppressed WHERE email = ?", (email.lower(),))
            return found.fetchone() is not None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            yield connection


def to_suppress(event: dict[str, Any]) -> list[tuple[str, str]]:
    """The addresses that *event* says not to write to again, each with a reason.

    A permanent bounce means that the mailbox does not exist. A complaint names candidates: any of them may have
    complained, so none of them gets more mail.
    """
    data = event["data"]
    if event["type"] == "email.bounced" and data["bounce"]["class"] == "permanent":
        return [(recipient["email"], "bounced") for recipient in data["recipients"]]
    if event["type"] == "email.complained" and data["complaint"]["feedback_type"] != "not-spam":
        return [(recipient["email"], "complained") for recipient in data["recipients"]]
    return []
