"""A directory is replaced as a whole, whenever the process ends."""

import pytest

from spacy_luke_ja.training.directories import recover_directory, remove_directory, replace_directory


def write(content):
    return lambda path: (path / "file").write_text(content)


def test_replacing(tmp_path):
    for content in ("one", "two"):
        replace_directory(tmp_path / "x", write(content))
        assert (tmp_path / "x" / "file").read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_failure_leaves_what_was_there(tmp_path):
    def fail(path):
        (path / "file").write_text("half")
        raise OSError("No space left on device")

    replace_directory(tmp_path / "x", write("one"))
    with pytest.raises(OSError, match="No space left"):
        replace_directory(tmp_path / "x", fail)
    assert (tmp_path / "x" / "file").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    "there, kept",
    [
        (["x", "x.new"], "x"),  # killed while writing
        (["x.old", "x.new"], "x.old"),  # between the renames
        (["x", "x.old"], "x"),  # before the old one was removed
    ],
)
def test_a_killed_process_leaves_what_was_complete(tmp_path, there, kept):
    for name in there:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    recover_directory(tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x" / "file").read_text() == kept
    remove_directory(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
