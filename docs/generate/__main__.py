"""`python -m docs.generate`: write what docs/ holds of the code: schemas, type definitions, the event catalogue,
the error reference.

`--check` writes nothing and ends with status 1 if a file differs from what would be written.
"""

import argparse
import inspect
import json
import sys
from pathlib import Path

from docs.generate.bodies import EVENT_TYPES, schemas
from docs.generate.catalogue import catalogue
from docs.generate.errors import error_reference
from docs.generate.openapi import openapi
from docs.generate.parameters import parameter_schemas
from docs.generate.typescript import typescript
from lambdas.domain.webhooks import webhook_body

DOCS = Path(__file__).parents[1]


def files() -> dict[Path, str]:
    """Every generated file with its content."""
    bodies = schemas()
    documents = {**bodies, **parameter_schemas(), "webhooks.openapi.json": openapi(bodies)}
    found = {DOCS / "schemas" / name: json.dumps(content, indent=2) + "\n" for name, content in documents.items()}
    found[DOCS / "schemas" / "webhooks.d.ts"] = typescript(bodies, EVENT_TYPES)
    found[DOCS / "schemas" / "webhook_body.py"] = inspect.getsource(webhook_body)
    found[DOCS / "events.md"] = catalogue(bodies)
    found[DOCS / "errors.md"] = error_reference()
    return found


def stale() -> list[str]:
    """The generated files that differ from what the code says, and files in docs/schemas that nothing generates."""
    wanted = files()
    different = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    left = [path for path in (DOCS / "schemas").rglob("*") if path.is_file() and path not in wanted]
    return sorted(str(path.relative_to(DOCS)) for path in different + left)


def main() -> int:
    """Write or check; the exit status."""
    parser = argparse.ArgumentParser(description="Write the generated parts of docs/.", prog="python -m docs.generate")
    parser.add_argument("--check", action="store_true", help="only say which files are stale; status 1 if any")
    if parser.parse_args().check:
        found = stale()
        print("\n".join(f"stale: docs/{name}" for name in found) or "docs/ is as the code says")
        return 1 if found else 0
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(f"{len(files())} files written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
