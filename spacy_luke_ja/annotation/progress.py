"""The directory OUTPUT.parts: which chunks are done, for what inputs and settings, and how the output becomes whole.

    run.json               what is done here, so that nothing else is mixed with it
    00000000.jsonl         what a chunk became, in the format of the output
    00000000.rejects       its records that could not be annotated, as JSON lines; where there are none, no file
    00000000.trying        which of its records is tried, where processes ended at one of them
    00000000.done          what was counted, as JSON; written last, it says that the chunk is done
    stdin                  what was read from there
    joined.tmp done.json   the output made whole, and what says so

All files are written under another name, and renamed when they are whole.
"""

import hashlib
import itertools
import json
import os
import re
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from ..training.directories import LOCK, writing
from ..training.outputs import MADE_BY, OutputRefused, entries_of, join_names

ENDING = ".parts"
RUN, DONE, SPOOL, JOINED, JOINED_REJECTS = "run.json", "done.json", "stdin", "joined.tmp", "joined-rejects.tmp"
OURS = re.compile(r"(\d{8}\.[a-z0-9]+|(run|done)\.json)(\.[0-9a-f]{8}\.tmp)?|stdin(\.tmp)?|joined(-rejects)?\.tmp")
READ_AT_ONCE = 1 << 20


def parts_of(output: Path) -> Path:
    return output.with_name(output.name + ENDING)


@dataclass(frozen=True)
class Progress:
    """path: the directory. ending: of the parts, the output's own."""

    path: Path
    ending: str

    def part(self, number: int) -> Path:
        return self.path / f"{number:08d}{self.ending}"

    def rejects(self, number: int) -> Path:
        return self.path / f"{number:08d}.rejects"

    def counts(self, number: int) -> Path:
        return self.path / f"{number:08d}.done"

    def note(self, number: int) -> Path:
        return self.path / f"{number:08d}.trying"

    @property
    def spool(self) -> Path:
        return self.path / SPOOL

    def finished(self) -> List[int]:
        """The numbers of the chunks that are done, in order."""
        return sorted(int(path.stem) for path in self.path.glob("*.done"))

    def finish(
        self,
        number: int,
        write: Callable[[Path], None],
        rejects: Sequence[Mapping[str, Any]],
        counts: Mapping[str, Any],
    ) -> None:
        """Keep what a chunk became, so that it is there as a whole or not at all."""
        write_file(self.part(number), write)
        lines = "".join(json.dumps(reject, ensure_ascii=False) + "\n" for reject in rejects)
        if lines:
            write_file(self.rejects(number), lambda path: path.write_text(lines, encoding="utf8"))
        write_json(self.counts(number), counts)

    def first_reject(self, number: int) -> str:
        """RETURNS: file, line or row, and reason of the first of a chunk's rejects, for a message."""
        with self.rejects(number).open(encoding="utf8") as file_:
            (_, file), (unit, n), (_, reason), *_ = json.loads(file_.readline()).items()
        return f"{file}, {unit} {n}: {reason}"

    def has_output(self) -> bool:
        """Whether there is anything to put at the output's place: not where all records were rejected."""
        counts = [self.read_counts(number) for number in self.finished()]
        return any(each["n_records"] for each in counts) or not any(each["n_rejects"] for each in counts)

    def read_counts(self, number: int) -> Dict[str, Any]:
        return json.loads(self.counts(number).read_text(encoding="utf8"))


def write_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` write a file under another name, and rename it; an OSError names the file.

    The temporary name is unique, so that two processes may write the same file.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with writing(path):
            write(temporary)
            with temporary.open("rb+") as file_:
                os.fsync(file_.fileno())
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    content = json.dumps({**MADE_BY, **value}, ensure_ascii=False, indent=1)
    write_file(path, lambda own: own.write_text(content, encoding="utf8"))


def read_json(path: Path) -> Optional[Dict[str, Any]]:
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise OutputRefused(f"{path} is damaged, or not of this program: {error}; move it away") from error


def check_parts(place: Path) -> None:
    """Raise OutputRefused where the directory holds what this program did not write."""
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise OutputRefused(f"{place} must be a directory for what is done so far; move what is there away")
    foreign = [name for name in entries_of(place) if not OURS.fullmatch(name) and name != LOCK]
    if foreign or (entries_of(place) and not is_ours(place)):
        raise OutputRefused(
            f"{place} holds what this program did not write ({join_names(foreign or entries_of(place))}); move it away"
        )


def is_ours(place: Path) -> bool:
    marks = [read_json(place / name) for name in (RUN, DONE)]
    names = {name for name in entries_of(place) if not name.endswith(".tmp")} - {LOCK}
    return any(mark is not None and mark.items() >= MADE_BY.items() for mark in marks) or names <= {SPOOL}


def remove_parts(place: Path, *, but: Sequence[str] = ()) -> None:
    """Remove what this program wrote there: run.json and done.json last, which say whose the rest is."""
    for name in sorted(entries_of(place), key=lambda name: (name == DONE, name == RUN)):
        if OURS.fullmatch(name) and name not in but:
            (place / name).unlink(missing_ok=True)


# What the run is of


def describe_run(settings: Mapping[str, Any], inputs: Sequence[Tuple[str, Path]]) -> Dict[str, Any]:
    """inputs: names and files, which are read to tell them from others."""
    files = [{"file": name, "bytes": path.stat().st_size, "digest": digest_of(path)} for name, path in inputs]
    return {"settings": dict(settings), "inputs": files}


def digest_of(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=20)
    with path.open("rb") as file_:
        while True:
            block = file_.read(READ_AT_ONCE)
            if not block:
                return digest.hexdigest()
            digest.update(block)


def digest_of_texts(texts: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(texts).encode("utf8"), digest_size=20).hexdigest()


def check_same_run(place: Path, known: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Raise OutputRefused, which names what is not as in the run that was begun."""
    differences = []
    before, now = known.get("settings", {}), run["settings"]
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            differences.append(f"{name} was {shown(before.get(name))}, and is {shown(now.get(name))}")
    files, own = ({each["file"]: each for each in each_run.get("inputs", [])} for each_run in (known, run))
    differences += [f"{name} was an input, and is none" for name in files if name not in own]
    differences += [f"{name} is an input, and was none" for name in own if name not in files]
    differences += [f"{name} has other content" for name in files if name in own and files[name] != own[name]]
    if not differences and list(files) != list(own):
        differences = ["the inputs come in another order"]
    if differences:
        raise OutputRefused(
            f"{place} has a run that was begun with other settings or inputs: {join_names(differences)}. Go on with "
            "those, give another output, or begin anew with --overwrite"
        )


def shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# Making it whole


def join_parts(
    progress: Progress,
    join: Callable[[Sequence[Path], Path], None],
    numbers: Sequence[int],
    run: Mapping[str, Any],
) -> None:
    """Write joined.tmp of all parts, and joined-rejects.tmp where there are rejects, then done.json."""
    joined = progress.path / JOINED
    with writing(joined):
        join([progress.part(number) for number in numbers], joined)
        sync(joined)
        rejects = [path for path in map(progress.rejects, numbers) if path.exists()]
        if rejects:
            with (progress.path / JOINED_REJECTS).open("wb") as file_:
                for path in rejects:
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, file_)
                file_.flush()
                os.fsync(file_.fileno())
    done = {
        "bytes": joined.stat().st_size,
        "digest": digest_of(joined),
        "has_rejects": bool(rejects),
        "has_output": progress.has_output(),
        **run,
    }
    write_json(progress.path / DONE, done)


def sync(path: Path) -> None:
    with path.open("rb+") as file_:
        os.fsync(file_.fileno())


def put_in_place(progress: Progress, output: Path, rejects: Path, *, overwrite: bool) -> bool:
    """Rename what was joined; where that is done already, do nothing.

    overwrite: whether files of others may be replaced. Rejects without an output are moved aside, where it is not set.
    RETURNS: whether there is an output.
    Raises OutputRefused where there is one, or where what was put there is lost.
    """
    done = read_json(progress.path / DONE) or {}
    is_in_the_way = rejects.exists() and ((progress.path / JOINED_REJECTS).exists() or not done["has_rejects"])
    if is_in_the_way and overwrite:
        rejects.unlink()  # of an output that is replaced
    elif is_in_the_way and not output.exists() and are_rejects(rejects):
        move_aside(rejects)
    has_output = done.get("has_output", True)
    if not has_output:
        (progress.path / JOINED).unlink(missing_ok=True)
    for name, target in ((JOINED_REJECTS, rejects), (JOINED, output)):
        joined = progress.path / name
        if joined.exists():
            if target.exists() and not overwrite:
                raise OutputRefused(f"{target} has come to be there meanwhile; move it away, or --overwrite it")
            with writing(target):
                if target.exists():
                    shutil.copymode(target, joined)
                os.replace(joined, target)
    if not has_output:
        return False
    if not output.is_file() or output.stat().st_size != done["bytes"] or digest_of(output) != done["digest"]:
        raise OutputRefused(
            f"{output} is not what {progress.path} says was written there; move it away, and that directory too"
        )
    return True


def are_rejects(path: Path) -> bool:
    """Whether a file holds what this program rejected."""
    try:
        with path.open(encoding="utf8") as file_:
            first = json.loads(file_.readline())
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and first.keys() >= {"file", "reason"}


def move_aside(rejects: Path) -> None:
    """Give a file the first free of the names a.rejects.1.jsonl, a.rejects.2.jsonl …"""
    names = (rejects.with_name(f"{rejects.stem}.{i}{rejects.suffix}") for i in itertools.count(1))
    rejects.rename(next(path for path in names if not os.path.lexists(path)))


def remove_empty(place: Path) -> None:
    try:
        place.rmdir()
    except OSError:
        pass


@contextmanager
def parts_directory(place: Path, output: Path) -> Iterator[None]:
    """Make the directory, and remove it at the end where it is empty."""
    with writing(output):
        place.mkdir(exist_ok=True)
    try:
        yield
    finally:
        remove_empty(place)
