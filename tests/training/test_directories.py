"""A directory or file is replaced as a whole, whenever the process ends; what has no mark of ours is left alone."""

import json
import os
import subprocess
import sys

import pytest
import spacy
from safetensors import SafetensorError

from spacy_luke_ja.training.directories import lock_directory, recover, replace_directory, replace_file
from spacy_luke_ja.training.outputs import OutputRefused, find_foreign_in_pipeline


def write(content):
    return lambda path: (path / "file").write_text(content)


def replace(path, write_content):
    replace_directory(path, write_content, find_foreign=lambda place: None)


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def test_replacing(tmp_path):
    for content in ("one", "two"):
        replace(tmp_path / "x", write(content))
        assert (tmp_path / "x" / "file").read_text() == content
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize(
    "error", [OSError("No space left on device"), SafetensorError("I/O error: No space left on device")]
)
def test_a_failure_leaves_what_was_there(tmp_path, error):
    def fail(path):
        (path / "file").write_text("half")
        raise error

    with pytest.raises(OSError, match="x cannot be written: .*No space left on device$"):
        replace(tmp_path / "x", fail)
    assert names(tmp_path) == []
    replace(tmp_path / "x", write("one"))
    with pytest.raises(OSError, match="x cannot be written: .*No space left.*; the one saved before is untouched"):
        replace(tmp_path / "x", fail)
    assert (tmp_path / "x" / "file").read_text() == "one"
    assert names(tmp_path) == ["x"]


def test_what_is_foreign_by_then_is_left_alone(tmp_path):
    replace(tmp_path / "x", write("one"))
    with pytest.raises(OutputRefused, match="x is not replaced: it holds a poem. Move it away"):
        replace_directory(tmp_path / "x", write("two"), find_foreign=lambda place: "it holds a poem")
    assert (tmp_path / "x" / "file").read_text() == "one" and names(tmp_path) == ["x"]


KILLED = """
import os, signal, sys
from pathlib import Path
from spacy_luke_ja.training.directories import replace_directory
n, rename = 0, Path.rename
def count(self, target):
    global n
    if sys.argv[1] == str(n):
        os.kill(os.getpid(), signal.SIGKILL)
    n += 1
    return rename(self, target)
Path.rename = count
def write(path):
    (path / "file").write_text("two")
    if sys.argv[1] == "writing":
        os.kill(os.getpid(), signal.SIGKILL)
replace_directory(Path("x"), write, find_foreign=lambda place: None)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills itself by a signal")
@pytest.mark.parametrize("moment", ["writing", "0", "1"])
def test_a_killed_process_leaves_what_was_complete(tmp_path, moment):
    replace(tmp_path / "x", write("one"))
    result = subprocess.run([sys.executable, "-c", KILLED, moment], cwd=tmp_path)
    assert result.returncode == -9 and len(names(tmp_path)) == (1 if moment == "1" else 2)
    recover(tmp_path / "x")
    assert names(tmp_path) == ["x"] and (tmp_path / "x" / "file").read_text() == "one"


def user_directories():
    mark = {"made_by": "spacy_luke_ja", "for": "x"}
    return [
        ("x.old", {"backup": "mine"}),
        ("x.new", {"backup": "mine"}),
        (".luke-new-1", {"backup": "mine"}),
        (".luke-new-1", {"made-by.json": "mine", "old": "mine"}),
        (".luke-new-1", {"made-by.json": json.dumps({**mark, "for": "y"}), "old": "of another output"}),
        (".luke-new-1", {"made-by.json": json.dumps(mark), "old": "mine", "thesis.txt": "mine"}),
    ]


@pytest.mark.parametrize("name, files", user_directories())
@pytest.mark.parametrize("is_there", [False, True])
def test_recovery_touches_only_what_has_our_mark(tmp_path, name, files, is_there):
    (tmp_path / name).mkdir()
    for file_name, content in files.items():
        (tmp_path / name / file_name).write_text(content)
    if is_there:
        (tmp_path / "x").mkdir()
    recover(tmp_path / "x")
    replace(tmp_path / "x", write("one"))
    assert {path.name: path.read_text() for path in (tmp_path / name).iterdir()} == files


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    def write_twice(path):
        (path / "file").write_text("first")
        replace(tmp_path / "x", write("second"))
        assert (path / "file").read_text() == "first"

    replace(tmp_path / "x", write_twice)
    assert (tmp_path / "x" / "file").read_text() == "first" and names(tmp_path) == ["x"]


def test_links_stay(tmp_path):
    (tmp_path / "disk").mkdir()
    for link in ("x", "page"):
        (tmp_path / link).symlink_to(tmp_path / "disk" / link)
    for content in ("one", "two"):
        replace(tmp_path / "x", write(content))
        replace_file(tmp_path / "page", lambda path, content=content: path.write_text(content))
        assert (tmp_path / "disk" / "x" / "file").read_text() == content
        assert (tmp_path / "disk" / "page").read_text() == content
    assert (tmp_path / "x").is_symlink() and (tmp_path / "page").is_symlink()
    assert names(tmp_path / "disk") == ["page", "x"]


def test_files(tmp_path):
    path = tmp_path / "page"
    replace_file(path, lambda new: new.write_text("one"))
    path.chmod(0o640)

    def fail(new):
        new.write_text("half")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="page cannot be written: No space left.*untouched"):
        replace_file(path, fail)
    assert path.read_text() == "one"
    replace_file(path, lambda new: new.write_text("two"))
    assert path.read_text() == "two" and path.stat().st_mode & 0o777 == 0o640 and names(tmp_path) == ["page"]
    if sys.platform != "win32":
        replace_file(type(path)("/dev/null"), lambda new: new.write_text("gone"))
        assert not os.path.isfile("/dev/null")
    long = tmp_path / ("長" * 80)
    replace_file(long, lambda new: new.write_text("one"))
    replace(tmp_path / ("い" * 80), write("one"))
    assert long.read_text() == "one"


@pytest.mark.skipif(sys.platform == "win32", reason="kills itself by a signal")
def test_a_killed_process_locks_nothing(tmp_path):
    code = (
        "import os, signal; from pathlib import Path; from spacy_luke_ja.training.directories import lock_directory\n"
        "with lock_directory(Path('.')): print('locked', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(OSError, match=f"process {process.pid}"):
            with lock_directory(tmp_path):
                pass
        process.kill()
        process.wait()
    with lock_directory(tmp_path):
        assert names(tmp_path) == [".luke-training.lock"]
    assert names(tmp_path) == []


def test_a_file_with_the_name_of_the_lock(tmp_path):
    (tmp_path / ".luke-training.lock").write_text("mine")
    with pytest.raises(OutputRefused, match="a file that this program did not write"):
        with lock_directory(tmp_path):
            pass
    assert (tmp_path / ".luke-training.lock").read_text() == "mine"


@pytest.mark.parametrize(
    "path",
    [
        "notes.txt",
        "tokenizer/notes.txt",
        "vocab/notes.txt",
        "vocab/vectors/backup.bin",
        ".DS_Store/mine",
        "data/mine.jsonl",
    ],
)
def test_what_no_pipeline_has_is_foreign_wherever_it_lies(tmp_path, path):
    place = tmp_path / "pipeline"
    spacy.blank("ja").to_disk(place)
    assert find_foreign_in_pipeline(place) is None
    meta = json.loads((place / "meta.json").read_text(encoding="utf8"))
    (place / "meta.json").write_text(json.dumps({**meta, "disabled": ["data"]}), encoding="utf8")
    (place / path).parent.unlink() if (place / path).parent.is_file() else None
    (place / path).parent.mkdir(exist_ok=True)
    (place / path).write_text("mine", encoding="utf8")
    assert find_foreign_in_pipeline(place).startswith("beside a pipeline it holds")
