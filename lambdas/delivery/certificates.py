"""The certificate authorities that webhooks' certificates are checked against: the public ones and the operator's.

The public ones travel in the bundle (certifi), so that they do not depend on what Lambda's image holds.
"""

import atexit
import tempfile
from pathlib import Path

import certifi


def ca_file(private_ca_file: str = "") -> str:
    """A PEM file with all authorities to trust; *private_ca_file* is the operator's, or empty."""
    if not private_ca_file:
        return certifi.where()
    with tempfile.NamedTemporaryFile("w", prefix="authorities-", suffix=".pem", delete=False) as file:
        for source in (certifi.where(), private_ca_file):
            file.write(Path(source).read_text() + "\n")
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name
