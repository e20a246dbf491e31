"""Remove files and directories that the project's commands made.

python scripts/project/clean.py corpus training
"""

import shutil
import sys
from pathlib import Path

for path in map(Path, sys.argv[1:]):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
