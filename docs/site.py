"""`python -m docs.site`: build the documentation's site in .build/site, or show it while it is written (`--serve`).

A broken link, a page that is not in the navigation of mkdocs.yml, or a generated file that is stale fails the build.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ["NO_MKDOCS_2_WARNING"] = "1"  # docs/decisions/0901-documentation-site.md

from mkdocs.commands import build, serve
from mkdocs.config import load_config
from mkdocs.exceptions import MkDocsException

from docs.generate.__main__ import stale

ROOT = Path(__file__).parents[1]
CONFIG = str(ROOT / "mkdocs.yml")


def main() -> int:
    """Build or serve; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description="Build the site in .build/site.")
    parser.add_argument("--serve", action="store_true", help="serve it on 127.0.0.1:8000 and rebuild what changes")
    if parser.parse_args().serve:
        serve.serve(CONFIG, dev_addr="127.0.0.1:8000")
        return 0
    if found := stale():
        print(f"run `python -m docs.generate` first; stale: {', '.join(found)}", file=sys.stderr)
        return 1
    try:
        build.build(load_config(CONFIG))
    except MkDocsException as error:
        print(error, file=sys.stderr)
        return 1
    print("built .build/site/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
