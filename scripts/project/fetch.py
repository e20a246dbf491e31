"""Get an asset of project.yml: a copy at hand, or by `spacy project assets`.

    python scripts/project/fetch.py assets/ner.json --copy ../elsewhere/ner.json

Whether it is the right file, `spacy luke convert-stockmark` checks.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("asset", type=Path)
    parser.add_argument("--copy", type=Path, default=None, help="where a copy may lie")
    args = parser.parse_args()
    args.asset.parent.mkdir(exist_ok=True)
    if args.asset.exists():
        print(f"{args.asset} is there")
    elif args.copy and args.copy.is_file():
        shutil.copy(args.copy, args.asset)
        print(f"copied {args.asset} from {args.copy}")
    else:
        subprocess.run([sys.executable, "-m", "spacy", "project", "assets"], check=True)
    if not args.asset.exists():
        sys.exit(f"{args.asset} could not be had: put it there by hand, or try again with a network")


if __name__ == "__main__":
    main()
