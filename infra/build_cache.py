"""Folders in .build/ that are made once, under the hash of all that they are made from."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_FORGOTTEN_AFTER = 24 * 3_600.0  # s since a folder was last used: no synthesis, deployment or test run takes a day


def once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """*folder*, filled if it does not exist. Two processes may both fill it; the first to finish wins."""
    if folder.is_dir():
        os.utime(folder)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    _forget_unused(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as temporary:
        made = Path(temporary, "made")
        made.mkdir()
        fill(made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def _forget_unused(kept: Path) -> None:
    """Remove folders that are no longer used: a changed bundle leaves some 10 MB."""
    for path in kept.iterdir():
        if time.time() - path.stat().st_mtime > _FORGOTTEN_AFTER:
            shutil.rmtree(path, ignore_errors=True)
