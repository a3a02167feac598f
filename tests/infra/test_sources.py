"""Which files a bundle takes, on a checkout of a few lines."""

from pathlib import Path

import pytest

from infra.sources import services, sources


def _write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Two functions, an adapter that imports others from a subpackage, and two that nobody imports."""
    _write(
        tmp_path,
        {
            "lambdas/__init__.py": "",
            "lambdas/aws/__init__.py": "",
            "lambdas/aws/queue.py": "def send(client): ...",
            "lambdas/aws/table.py": "def make():\n    from lambdas.aws.store.rows import read\n",
            "lambdas/aws/store/__init__.py": "",
            "lambdas/aws/store/rows.py": "from lambdas.aws.store import columns\n",
            "lambdas/aws/store/columns.py": "",
            "lambdas/aws/store/unused.py": "",
            "lambdas/aws/unused.py": "client('ec2')",
            "lambdas/domain/rule.py": "",
            "lambdas/one/handler.py": "import lambdas.aws.queue\nfrom lambdas.aws import table\nclient('sqs')",
            "lambdas/one/template.txt": "data",
            "lambdas/one/requirements.in": "boto3",
            "lambdas/two/handler.py": "clients.client('kms')",
        },
    )
    return tmp_path


def test_adapters_are_followed_wherever_they_are_imported(checkout: Path) -> None:
    """Through `import`, `from`, and inside functions; what is beside the code comes along, requirements do not."""
    assert list(sources(checkout, "one")) == [
        "lambdas/__init__.py",
        "lambdas/aws/__init__.py",
        "lambdas/aws/queue.py",
        "lambdas/aws/store/__init__.py",
        "lambdas/aws/store/columns.py",
        "lambdas/aws/store/rows.py",
        "lambdas/aws/table.py",
        "lambdas/domain/rule.py",
        "lambdas/one/handler.py",
        "lambdas/one/template.txt",
    ]


def test_services_are_those_that_clients_are_made_of(checkout: Path) -> None:
    """Called plainly or on a module."""
    assert services(sources(checkout, "one")) == {"sqs"}
    assert services(sources(checkout, "two")) == {"kms"}


def test_a_relative_import_is_refused(checkout: Path) -> None:
    """It would be lost to the search, and to the reader."""
    _write(checkout, {"lambdas/one/rules.py": "from . import handler\n"})
    with pytest.raises(ValueError, match="import by full name"):
        sources(checkout, "one")
