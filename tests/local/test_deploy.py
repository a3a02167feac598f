"""What the deploy shows, and what it says when the CDK fails."""

from pathlib import Path

import pytest

from local import deploy, process
from local.deploy import Deployer, NotDeployed
from local.process import Server


@pytest.fixture
def cdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the CDK CLI: a script that the test writes."""
    path = tmp_path / "cdk"
    monkeypatch.setattr(deploy, "CDK", path)
    return path


def write(path: Path, *lines: str) -> None:
    """Make a shell script of *lines*."""
    path.write_text("\n".join(("#!/bin/sh", *lines)))
    path.chmod(0o755)


def test_a_missing_cdk_is_said_with_the_remedy(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make setup` installs it."""
    monkeypatch.setattr(deploy, "CDK", process.ROOT / "nowhere" / "cdk")
    with pytest.raises(NotDeployed, match="make setup"):
        Deployer(url=server.url, folder=tmp_path).deploy(lambda *_: None)


def test_a_failed_deploy_shows_the_end_of_its_log(server: Server, cdk: Path, tmp_path: Path) -> None:
    """And where all of it is."""
    write(cdk, 'case "$1" in deploy) echo "first"; echo "ses-feedback | CREATE_FAILED | no such thing"; exit 1;; esac')
    with pytest.raises(NotDeployed) as failed:
        Deployer(url=server.url, folder=tmp_path).deploy(lambda *_: None)
    assert "`cdk deploy` failed" in str(failed.value)
    assert "CREATE_FAILED | no such thing" in str(failed.value)
    assert str(tmp_path / "deploy.log") in str(failed.value)


def test_progress_follows_cloudformations_events(server: Server, cdk: Path, tmp_path: Path) -> None:
    """The share of resources that are done."""
    write(
        cdk,
        'case "$1" in deploy)',
        'echo "ses-feedback |  5/20 | 5:53:38 AM | CREATE_COMPLETE         | AWS::SQS::Queue | Events/Queue"',
        """echo '{"ses-feedback": {"EventTopicArn": "arn"}}' > "$PWD_OUTPUTS" ;;""".replace(
            '"$PWD_OUTPUTS"', str(tmp_path / "outputs.json")
        ),
        "esac",
    )
    seen: list[tuple[str, float]] = []
    outputs = Deployer(url=server.url, folder=tmp_path).deploy(lambda what, share: seen.append((what, share)))
    assert outputs == {"EventTopicArn": "arn"}
    assert ("deploying AWS::SQS::Queue", 0.25) in seen


@pytest.mark.parametrize(("strict", "loopback"), [(True, False), (False, True)])
def test_production_rules_are_deployed_when_asked_for(
    server: Server, cdk: Path, tmp_path: Path, strict: bool, loopback: bool
) -> None:
    """STRICT=1: no plain HTTP, no loopback."""
    outputs = tmp_path / "outputs.json"
    write(cdk, f'echo "$@" >> {tmp_path}/said', f"echo '{{\"ses-feedback\": {{}}}}' > {outputs}")
    Deployer(url=server.url, folder=tmp_path, strict=strict).deploy(lambda *_: None)
    said = (tmp_path / "said").read_text()
    assert ("allow_http=true" in said) is loopback
    assert ("allowed_cidrs=127.0.0.0/8,::1/128" in said) is loopback


def test_the_cdk_gets_the_embedded_account_only(
    server: Server, cdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A developer's own profile must never be deployed to, nor a proxy be asked for this machine."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    write(cdk, f"env > {tmp_path}/env", f"echo '{{\"ses-feedback\": {{}}}}' > {tmp_path}/outputs.json")
    Deployer(url=server.url, folder=tmp_path).deploy(lambda *_: None)
    environment = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    assert "AWS_PROFILE" not in environment
    assert "AWS_SESSION_TOKEN" not in environment
    assert environment["AWS_ENDPOINT_URL"] == server.url
    assert "127.0.0.1" in environment["NO_PROXY"].split(",")
    assert environment["CDK_DEFAULT_ACCOUNT"] == "000000000000"
