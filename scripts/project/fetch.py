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
        result = subprocess.run([sys.executable, "-m", "spacy", "project", "assets"], capture_output=True, text=True)
        print(result.stdout)
        if result.returncode or not args.asset.exists():
            said = (result.stderr.strip().splitlines() or [""])[-1]
            sys.exit(
                f"{args.asset} cannot be downloaded ({said}).\nPut the file there by hand (project.yml has its "
                "address), or name a copy: spacy project run quickstart . --vars.stockmark_copy PATH"
            )


if __name__ == "__main__":
    main()
