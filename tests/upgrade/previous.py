"""The previous release as it was: its sources, unpacked, ready to be deployed or imported.

`1.0.0/source.tar.xz` holds app.py, cdk.json, infra/ and lambdas/ of the release's commit (`python -m
tests.upgrade.capture` wrote it), so that no test depends on the repository's history being there.
"""

import tarfile
from pathlib import Path

from local.process import ROOT
from tests.upgrade.reading import FOLDER

SOURCE = FOLDER / "source.tar.xz"
_SHARED = (".build", "node_modules")  # the cache of bundles, by content, and what npm installed


def unpack(folder: Path) -> Path:
    """*folder* with the release's sources in it, which share this checkout's caches."""
    with tarfile.open(SOURCE) as archive:
        archive.extractall(folder, filter="data")
    for name in _SHARED:
        (ROOT / name).mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / name)
    return folder
