"""What operators and tenants read is what the code says."""

from pathlib import Path

from infra.context import table
from lambdas.broker.osb.parameter_tables import BINDING, PROVISION

DOCS = Path(__file__).parents[2] / "docs"


def test_operators_read_every_context_key() -> None:
    """`python -m infra.context` prints the table; paste it anew when this fails."""
    assert table().strip() in (DOCS / "operators.md").read_text()


def test_tenants_read_every_parameter() -> None:
    """In a row of its own."""
    text = (DOCS / "tenants.md").read_text()
    for name in (*PROVISION, *BINDING):
        assert f"| `{name}` |" in text
