"""Names of files, folders and patterns in; the files to read, each once and in order, with their formats out."""

import glob
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Collection, Dict, List, Optional, Sequence, Tuple

from ..corpora.files import MARK_BYTES, check_ending, ending_of, packing_of
from ..text.messages import count

STDIN = "-"
# ending → format, a key of READERS in readers.py
ENDINGS: Dict[str, str] = {
    ".txt": "lines",
    ".text": "lines",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".spacy": "docbin",
}
FORMATS = ("lines", "file", "jsonl", "json", "csv", "tsv", "parquet", "docbin")
ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".lzh")
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
N_SHOWN = 3
PROGRESS = "run.json"  # in directories of runs that are not done


@dataclass(frozen=True)
class Source:
    """A file to read.

    name: as the user knows it. format: a key of READERS. packing: a key of PACKINGS, or "". size: bytes on disk.
    encoding: of a text file; "" for the one of all.
    """

    path: Path
    name: str
    format: str
    packing: str
    size: int
    encoding: str = ""


@dataclass
class FolderFiles:
    """files: in the order of their paths. strange: what is no file, such as links to nothing. n_hidden: .names."""

    files: List[Path]
    strange: List[Path]
    n_hidden: int


def find_sources(
    inputs: Sequence[str], *, format: str = "", text_per: str = "line", outputs: Collection[Path] = ()
) -> Tuple[List[Source], List[str]]:
    """
    inputs: files, folders (with all that is in them) and glob patterns.
    format: of all files; "" goes by the endings of their names.
    text_per: "line", or "file" for plain text that is one text.
    outputs: places that the command writes to, which no folder gives.
    RETURNS: the files, and what there is to say of those that were left out; raises a ValueError or an OSError.
    """
    found: Dict[Path, Source] = {}
    notes: List[str] = []
    written = {path.resolve() for path in outputs}
    for given in inputs:
        all_files, is_named = expand(given)
        n_before, strange, repeated = len(found), list(all_files.strange), []
        for path in all_files.files:
            place = path.resolve()
            if place in written or any(parent in written for parent in place.parents):
                if is_named and path.is_file():
                    raise ValueError(f"{path} is to be read, and is what the command writes to; name another output")
                continue
            own_format = format or ENDINGS.get(ending_of(path), "")
            if not own_format and not is_named:
                strange.append(path)
                continue
            if not own_format:
                check_ending(path, ENDINGS, f"; {advice_for(path)}")
            if place in found:
                repeated.append(path)
                continue
            if own_format == "lines" and text_per == "file":
                own_format = "file"
            with path.open("rb") as file_:
                packing = packing_of(file_.read(MARK_BYTES))
            found[place] = Source(path, path.as_posix(), own_format, packing, path.stat().st_size)
        for reason, paths in {"of other kinds left out": strange, "named before, read once": repeated}.items():
            if paths:
                shown = ", ".join(str(path) for path in paths[:N_SHOWN])
                more = " …" * (len(paths) > N_SHOWN)
                notes.append(f"{given}: {count(len(paths), 'file')} {reason}: {shown}{more}")
        if all_files.n_hidden:
            notes.append(f"{given}: {count(all_files.n_hidden, 'hidden file or folder')} left out")
        if len(found) == n_before and not repeated:
            raise ValueError(
                f"{given} has no file to read: names must end in {', '.join(ENDINGS)}, or --input-format must say what "
                f"they are: {', '.join(FORMATS)}"
            )
    return list(found.values()), notes


def expand(given: str) -> Tuple[FolderFiles, bool]:
    """RETURNS: files, and whether the user named them rather than a folder or a pattern."""
    path = Path(given)
    if path.is_dir():
        return files_in(path), False
    if os.path.lexists(path):
        path.stat()  # or an error that names it
        return FolderFiles([path], [], 0), True
    if not glob.has_magic(given):
        raise OSError(f"there is no file or folder {given}")
    matches = sorted(map(Path, glob.glob(given, recursive=True)), key=Path.as_posix)
    if not matches:
        raise OSError(f"no file matches {given}")
    found = FolderFiles([], [], 0)
    for match in matches:
        own = files_in(match) if match.is_dir() else FolderFiles([match], [], 0)
        if not match.is_dir() and not match.is_file():
            own = FolderFiles([], [match], 0)
        found.files += own.files
        found.strange += own.strange
        found.n_hidden += own.n_hidden
    return found, False


def files_in(folder: Path) -> FolderFiles:
    """Whatever is below a folder, links to other folders included; a file that two ways lead to comes from the first.

    Links back to what is read already, and to what holds the folder, are not followed.
    """
    found = FolderFiles([], [], 0)
    start = folder.resolve()
    known = {start, *start.parents}
    ways = [folder]
    while ways:
        links = []
        for place, folders, files in os.walk(ways.pop(0), onerror=raise_error):
            known.add(Path(place).resolve())
            shown = [name for name in folders if not name.startswith(".")]
            found.n_hidden += len(folders) - len(shown) + sum(name.startswith(".") for name in files)
            links += [Path(place, name) for name in shown if Path(place, name).is_symlink()]
            folders[:] = [name for name in shown if not Path(place, name, PROGRESS).is_file()]
            paths = [Path(place, name) for name in files if not name.startswith(".")]
            found.files += [path for path in paths if path.is_file()]
            found.strange += [path for path in paths if not path.is_file()]
        for link in sorted(links):
            if link.resolve() not in known:
                known.add(link.resolve())
                ways.append(link)
    found.files.sort(key=lambda path: path.parts)
    found.strange.sort()
    return found


def raise_error(error: OSError) -> None:
    raise error


def advice_for(path: Path) -> str:
    """What helps where a file's name does not say what is in it."""
    ending = ending_of(path)
    if ending in ARCHIVES:
        return "this is an archive: unpack it, and give the folder"
    if ending in WORKBOOKS:
        return "this is a workbook: save the sheet as CSV UTF-8"
    return f"--input-format must say what the file is: {', '.join(FORMATS)}"


def is_stream(given: str) -> bool:
    """Whether an input can be read only once: - for stdin, or a pipe."""
    if given == STDIN:
        return True
    try:
        mode = os.stat(given).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def format_of_stream(start: bytes, format: Optional[str]) -> str:
    """format: what the user says; start: the first bytes. Raises a ValueError where these look like something else."""
    if not format and start.lstrip().startswith((b"{", b"[")):
        raise ValueError("what stdin gives looks like JSON; --input-format must say jsonl, or lines for plain text")
    return format or "lines"
