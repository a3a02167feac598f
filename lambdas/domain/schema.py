"""The schema version of stored items and queue messages: the one place that says it.

An item carries its version in the attribute `schema`, a message in the first member of its JSON object. Without one it
is version 1, as 1.0.0 wrote it. A release reads versions up to READS and writes WRITES, which the previous release
reads as well, so that both can run at once and a rollback loses nothing. A newer version is refused with NewerSchema:
the item stays as it is, and the message returns to its queue. CONTRIBUTING.md says how to change a shape.

Counters and marks, which are only added to and never read before a write, carry no version: another meaning gets
another key.
"""

ATTRIBUTE = "schema"
WRITES = 1
READS = 1


class NewerSchema(Exception):
    """An item or a message was written by a later release, in a form that this one does not know."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"schema version {version} is newer than {READS}, the newest that this release reads: "
            "deploy the release that wrote it, or a later one"
        )
        self.version = version


def check(version: int) -> None:
    """Raise NewerSchema if *version* is one that this release does not read."""
    if version > READS:
        raise NewerSchema(version)
