"""A directory's new content in, the directory as a whole replaced; or, when that fails, untouched."""

import shutil
from pathlib import Path
from typing import Callable


def replace_directory(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a new directory, and put it in the place of `path` once it is complete.

    Raises what `write` raises, a full disk say, with `path` as it was before. A process killed between the two renames
    leaves the former content beside it, where recover_directory finds it.
    """
    new, old = path.with_name(path.name + ".new"), path.with_name(path.name + ".old")
    recover_directory(path)
    try:
        new.mkdir(parents=True)
        write(new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def recover_directory(path: Path) -> None:
    """Clean up after a replace_directory that was killed: what was complete stays."""
    new, old = path.with_name(path.name + ".new"), path.with_name(path.name + ".old")
    if old.exists():
        if path.exists():
            shutil.rmtree(old)
        else:
            old.rename(path)
    shutil.rmtree(new, ignore_errors=True)


def remove_directory(path: Path) -> None:
    recover_directory(path)
    if path.exists():
        shutil.rmtree(path)
