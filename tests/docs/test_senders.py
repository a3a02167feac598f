"""Each sending example in docs/examples sends a mail through the embedded AWS with a binding's credentials."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lambdas.domain.tenants.smtp import smtp_password
from local.process import Server
from tests.docs.examples import PATH, SENDERS, Example, built, missing
from tests.local.conftest import REGION, Tenant, aws, new_tenant, server, tenant

__all__ = ["aws", "new_tenant", "server", "tenant"]  # fixtures
pytestmark = pytest.mark.examples


@pytest.mark.parametrize("example", SENDERS, ids=lambda example: f"{example.name} {example.start[-1]}")
def test_a_mail_is_sent_and_its_tag_comes_back_in_its_events(
    example: Example, tmp_path: Path, server: Server, tenant: Tenant
) -> None:
    """Without naming a configuration set: the domain has a default."""
    if lacking := missing(example):
        pytest.skip(f"{example.name} needs {', '.join(lacking)}")
    tenant.aws.client("sesv2").put_email_identity_configuration_set_attributes(
        EmailIdentity=tenant.domain, ConfigurationSetName=tenant.configuration_set
    )
    folder = built(example, tmp_path)
    environment = {"PATH": PATH, "AWS_ENDPOINT_URL": server.url, **credentials(server, tenant), **trust(server, folder)}
    done = subprocess.run(
        [*example.start, "bounce@simulator.amazonses.com"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("sent")
    sent, bounced = tenant.heard(2)
    assert sent["mail"]["tags"]["campaign"] == ["welcome"]
    assert bounced["bounce"]["bounceType"] == "Permanent"


def credentials(server: Server, tenant: Tenant) -> dict[str, str]:
    """The binding's credentials as environment variables."""
    return {
        "SMTP_SERVER": "127.0.0.1",
        "SMTP_PORT": str(server.smtp_port),
        "SMTP_USER": tenant.key,
        "SMTP_PASSWORD": smtp_password(tenant.secret, REGION),
        "AWS_ACCESS_KEY_ID": tenant.key,
        "AWS_SECRET_ACCESS_KEY": tenant.secret,
        "REGION": REGION,
        "DOMAIN": tenant.domain,
    }


def trust(server: Server, folder: Path) -> dict[str, str]:
    """What makes each runtime trust the embedded AWS's certificate."""
    certificate, store = folder / "authority.pem", folder / "authority.p12"
    found = x509.load_pem_x509_certificate((server.log.parent / "smtp.pem").read_bytes())
    certificate.write_bytes(found.public_bytes(Encoding.PEM))
    variables = {"SSL_CERT_FILE": str(certificate), "NODE_EXTRA_CA_CERTS": str(certificate)}
    if folder.name == "send-java":
        subprocess.run(
            ["keytool", "-importcert", "-noprompt", "-alias", "ses", "-file", certificate, "-keystore", store,
             "-storepass", "changeit"], env={"PATH": PATH}, capture_output=True, check=True,
        )  # fmt: skip
        variables["JAVA_TOOL_OPTIONS"] = (
            f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit"
        )
    return variables
