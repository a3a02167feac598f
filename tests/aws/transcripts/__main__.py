"""`python -m tests.aws.transcripts`: write every text anew."""

from tests.aws.transcript import FOLDER, written
from tests.aws.transcripts import WALKS


def main() -> None:
    """Write them, and remove those of walks that are gone."""
    for path in FOLDER.glob("*.yaml"):
        path.unlink()
    for name, walk in WALKS.items():
        (FOLDER / f"{name}.yaml").write_text(written(walk))


if __name__ == "__main__":
    main()
