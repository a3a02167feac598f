"""Where the application finds its binding's credentials."""

import json
import os
from pathlib import Path


def credential(name: str) -> str:
    """A credential of the binding, such as `webhook_secret`; KeyError if the application has no binding.

    Cloud Foundry puts credentials into VCAP_SERVICES, the Kubernetes service binding specification into one file each
    under SERVICE_BINDING_ROOT. An environment variable of the credential's name in capitals is taken before both.
    """
    if value := os.environ.get(name.upper()):
        return value
    if root := os.environ.get("SERVICE_BINDING_ROOT"):
        for file in sorted(Path(root).glob(f"*/{name}")):
            return file.read_text().strip()
    for service in json.loads(os.environ.get("VCAP_SERVICES", "{}")).get("aws-ses", []):
        return str(service["credentials"][name])
    raise KeyError(f"{name}: bind the application to an aws-ses instance, or set {name.upper()}")
