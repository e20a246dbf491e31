"""New content in, a directory or file as a whole replaced; or, when that fails or is killed, as it was before."""

import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Callable, Dict, Iterator, Optional

from safetensors import SafetensorError

from .outputs import MADE_BY, OutputRefused, follow_links

# Content is made ready in a directory of this name beside its place, which also holds MARK, and what is replaced.
PREFIX, MARK, NEW, OLD = ".luke-new-", "made-by.json", "new", "old"
LOCK = ".luke-training.lock"
WINDOWS_LOCKED_BYTE = 1 << 30  # far behind what is in the file, which others may then read
# What writing may raise on a full disk.
WRITE_ERRORS = (OSError, SafetensorError)


def replace_directory(
    path: Path, write: Callable[[Path], object], *, find_foreign: Callable[[Path], Optional[str]]
) -> None:
    """Let `write` fill a new directory, and put it in the place of `path` (where a link leads) once it is complete.

    find_foreign: says what there is that must not be lost, or None. Raises OutputRefused with it.

    A full disk, or whatever else `write` raises, leaves `path` as it was; so does a kill, but one between two renames
    leaves it beside its place, where recover finds it.
    """
    place = follow_links(path)
    with writing(path), staging(place) as box:
        (box / NEW).mkdir()
        write(box / NEW)
        foreign = find_foreign(place)
        if foreign:
            raise OutputRefused(f"{path} is not replaced: {foreign}. Move it away")
        try:
            if place.exists():
                place.rename(box / OLD)
            (box / NEW).rename(place)
        except BaseException:
            put_back(box, place)
            raise


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` write a new file, and put it in the place of `path` (where a link leads) once it is complete."""
    place = follow_links(path)
    with writing(path):
        if place.exists() and not place.is_file():  # a device such as /dev/null, or a pipe
            write(place)
            return
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(f"{path} is protected against writing")
        with staging(place) as box:
            write(box / NEW)
            if place.exists():
                shutil.copymode(place, box / NEW)
            os.replace(box / NEW, place)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What writing raises becomes an OSError that names the path."""
    try:
        yield
    except WRITE_ERRORS as error:
        kept = "; the one saved before is untouched" if path.exists() else ""
        raise OSError(f"{path} cannot be written: {error}{kept}") from error


@contextmanager
def staging(place: Path) -> Iterator[Path]:
    """A directory of ours beside a place, which others leave alone as long as we hold the lock of its mark."""
    recover(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    box = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place.parent))
    try:
        with open(box / MARK, "x+b") as mark:
            try_lock(mark)
            mark.write(json.dumps({**MADE_BY, "for": place.name}).encode("utf8"))
            mark.flush()
            yield box
    finally:
        put_back(box, place)
        shutil.rmtree(box, ignore_errors=True)


def put_back(box: Path, place: Path) -> None:
    if (box / OLD).exists() and not place.exists():
        (box / OLD).rename(place)


def recover(place: Path) -> None:
    """Clean up after writing to this place was killed: what was complete stays. Touches nothing without our mark."""
    for box in place.parent.glob(f"{PREFIX}*"):
        if not {path.name for path in box.glob("*")} <= {MARK, NEW, OLD} or box.is_symlink():
            continue
        if read_mark(box / MARK) != {**MADE_BY, "for": place.name}:
            continue
        with open(box / MARK, "r+b") as mark:
            if not try_lock(mark):  # its process is at work
                continue
        put_back(box, place)
        shutil.rmtree(box, ignore_errors=True)


def read_mark(path: Path) -> Dict[str, Any]:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}


# Locks


@contextmanager
def lock_directory(path: Path, what: str = "training") -> Iterator[None]:
    """Keep every other process that calls this from the directory; a process that is killed locks nothing any more.

    what: is at work there, for the message.
    """
    lock = path / LOCK
    while True:
        with open(lock, "a+b") as file_:
            if not try_lock(file_):
                holder = read_mark(lock).get("process", "unknown")
                raise OSError(
                    f"another {what} writes to {path} (process {holder}); wait until it ends, or give another output"
                )
            if not is_at(lock, file_):
                continue  # its holder removed it before we had it
            if os.fstat(file_.fileno()).st_size and read_mark(lock).keys() != {*MADE_BY, "process"}:
                raise OutputRefused(f"{lock} is a file that this program did not write; move it away")
            file_.truncate(0)
            file_.write(json.dumps({**MADE_BY, "process": os.getpid()}).encode("utf8"))
            file_.flush()
            try:
                yield
            finally:
                if sys.platform != "win32":  # first, so that nobody locks a file that goes
                    lock.unlink(missing_ok=True)
        break
    if sys.platform == "win32":  # cannot remove an open file, neither ours nor that of another
        try:
            lock.unlink(missing_ok=True)
        except PermissionError:
            pass


def is_at(path: Path, file_: IO[bytes]) -> bool:
    try:
        return os.path.samestat(os.fstat(file_.fileno()), path.stat())
    except FileNotFoundError:
        return False


def try_lock(file_: IO[bytes]) -> bool:
    """Lock a file for as long as it is open, and its process lives; False when it is locked already.

    A file system that knows no locks counts as if nobody held one.
    """
    if sys.platform == "win32":
        import msvcrt

        file_.seek(WINDOWS_LOCKED_BYTE)
        try:
            msvcrt.locking(file_.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            file_.seek(0)
        return True
    import fcntl

    try:
        fcntl.flock(file_, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
