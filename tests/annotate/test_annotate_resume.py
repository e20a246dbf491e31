"""Killed anywhere and run again: nothing lost, nothing twice, byte for byte what an unbroken run writes."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from annotate_toys import TEXTS, files_in, names_of, read_rows, write_jsonl
from spacy_luke_ja.training.outputs import OutputRefused

pytest.importorskip("pyarrow")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

N_KILLS = 24
ROWS = [{"id": i, "text": TEXTS[i % len(TEXTS)] + f"{i}番"} for i in range(150)]
ROWS[40] = {"id": 40}
ROWS[111] = {"id": 111, "text": None}
SETTINGS = {"chunk_bytes": 300}  # some 30 chunks


class Runner:
    def __init__(self, model):
        script = Path(__file__).with_name("killed_runs.py")
        self.model = str(model)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([sys.executable, str(script), self.model], stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def start(self, inputs, output, *, crash_at=0, **settings):
        """RETURNS: the process."""
        settings = {"model": self.model, **SETTINGS, **settings}
        task = {"inputs": list(map(str, inputs)), "output": str(output), "settings": settings, "crash_at": crash_at}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def wait(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def run(self, *args, **settings):
        self.start(*args, **settings)
        return self.wait()


@pytest.fixture(scope="module")
def runner(checkpoints):
    runner = Runner(checkpoints["luke"])
    yield runner
    runner.process.stdin.close()
    runner.process.wait()


@pytest.fixture
def rows(tmp_path):
    return write_jsonl(tmp_path / "in.jsonl", ROWS)


def outputs_of(folder, name):
    paths = [folder / name, folder / f"{name}.rejects.jsonl"]
    return [path.read_bytes() for path in paths]


@needs_fork
@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_killed_at_random_moments(runner, rows, tmp_path, name):
    (tmp_path / "whole").mkdir()
    started = time.perf_counter()
    assert runner.run([rows], tmp_path / "whole" / name) == 0
    seconds = time.perf_counter() - started
    whole = outputs_of(tmp_path / "whole", name)
    rng, n_kills, n_runs = random.Random(0), 0, 0
    while n_kills < N_KILLS // 2:
        folder = tmp_path / str(n_runs)
        folder.mkdir()
        n_runs += 1
        for _ in range(100):
            process = runner.start([rows], folder / name)
            time.sleep(rng.uniform(0.05, 0.6) * seconds)
            os.kill(process, signal.SIGKILL)  # one that has ended by itself is no more than a zombie
            code = runner.wait()
            n_kills += code == -signal.SIGKILL
            if code == 0 or (folder / name).exists():
                break
        if (folder / f"{name}.parts").exists():
            assert runner.run([rows], folder / name) == 0
        assert outputs_of(folder, name) == whole
        assert files_in(folder) == [name, f"{name}.rejects.jsonl"]


@needs_fork
@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.csv"])
def test_killed_before_any_change_to_the_disk(runner, tmp_path, name):
    rows = write_jsonl(tmp_path / "in.jsonl", ROWS[38:42])
    (tmp_path / "whole").mkdir()
    assert runner.run([rows], tmp_path / "whole" / name) == 0
    whole = outputs_of(tmp_path / "whole", name)
    for crash_at in range(1, 1000):
        folder = tmp_path / str(crash_at)
        folder.mkdir()
        code = runner.run([rows], folder / name, crash_at=crash_at)
        if code == 0:
            break
        assert code == 9
        if (folder / f"{name}.parts").exists() and files_in(folder / f"{name}.parts") or not (folder / name).exists():
            assert runner.run([rows], folder / name) == 0, crash_at
        assert outputs_of(folder, name) == whole, crash_at
    assert 25 < crash_at < 999


@needs_fork
def test_killed_again_and_again(runner, rows, tmp_path):
    """Each time a little further."""
    (tmp_path / "whole").mkdir()
    assert runner.run([rows], tmp_path / "whole" / "out.jsonl") == 0
    n_done = 0
    for _ in range(100):
        if runner.run([rows], tmp_path / "out.jsonl", crash_at=18) == 0:
            break
        if (tmp_path / "out.jsonl.parts").exists():
            now = len(list((tmp_path / "out.jsonl.parts").glob("*.done")))
            assert now >= n_done or (tmp_path / "out.jsonl").exists()
            n_done = now
    assert outputs_of(tmp_path, "out.jsonl") == outputs_of(tmp_path / "whole", "out.jsonl")


# In this process: what a run that was begun goes on with, and what it does not


class Stop(BaseException):
    pass


@pytest.fixture
def begin(run, monkeypatch):
    """Begin a run, and stop it before its third chunk."""
    from spacy_luke_ja.annotation import run as module

    def begin(*paths, **settings):
        real, n_calls = module.do_chunk, 0

        def stop(*args):
            nonlocal n_calls
            n_calls += 1
            if n_calls == 3:
                raise Stop
            return real(*args)

        with monkeypatch.context() as patch, pytest.raises(Stop):
            patch.setattr(module, "do_chunk", stop)
            run(*paths, **{**SETTINGS, **settings})

    return begin


def test_what_is_done_is_kept_and_can_be_read(begin, run, rows):
    begin("in.jsonl", "out.jsonl")
    assert not Path("out.jsonl").exists()
    parts = sorted(Path("out.jsonl.parts").glob("*.jsonl"))
    assert [path.name for path in parts] == ["00000000.jsonl", "00000001.jsonl"]
    done = [row["id"] for path in parts for row in read_rows(path)]
    assert done == list(range(len(done))) and done
    result = run("in.jsonl", "out.jsonl", **SETTINGS)
    assert result.n_records == 148 and result.n_rejects == 2
    assert [row["id"] for row in read_rows("out.jsonl")] == [i for i in range(150) if i not in (40, 111)]


@pytest.mark.parametrize(
    "settings, error",
    [
        ({"threshold": 0.5}, "--threshold was null, and is 0.5"),
        ({"min_score": 0.25}, "--min-score was 0.0, and is 0.25"),
        ({"chunk_bytes": 500}, "--chunk-size was 300, and is 500"),
        ({"text_column": "id"}, '--text-column was "text", and is "id"'),
        ({"entities_column": "found"}, '--entities-column was "entities", and is "found"'),
        ({"label_map": "ontonotes"}, '--label-map was null, and is "ontonotes"'),
        ({"batch_size": 3}, "--batch-size was null, and is 3"),
        ({"encoding": "cp932"}, '--encoding was "utf-8", and is "cp932"'),
        ({"output_format": "doccano"}, '--output-format was "jsonl", and is "doccano"'),
        ({"with_sample": True}, "--html was false, and is true"),
        ({"questions": ("誰か",)}, "--qa-question"),
    ],
)
def test_other_settings_are_refused_by_name(begin, run, rows, settings, error):
    begin("in.jsonl", "out.jsonl")
    before = files_in(Path("out.jsonl.parts"))
    with pytest.raises(OutputRefused, match=f"{error}.*Go on with those, give another output, or begin anew with --ov"):
        run("in.jsonl", "out.jsonl", **{**SETTINGS, **settings})
    assert files_in(Path("out.jsonl.parts")) == before
    run("in.jsonl", "out.jsonl", **SETTINGS)


def test_another_model_is_refused(begin, run, rows, checkpoints):
    begin("in.jsonl", "out.jsonl")
    with pytest.raises(OutputRefused, match="--model was .*luke.*, and is .*xlmr"):
        run("in.jsonl", "out.jsonl", **SETTINGS, model=str(checkpoints["xlmr"]))


def test_other_inputs_are_refused_by_name(begin, run, tmp_path):
    for name in ("in/a.jsonl", "in/b.jsonl"):
        (tmp_path / "in").mkdir(exist_ok=True)
        write_jsonl(tmp_path / name, ROWS[:30])
    begin("in", "out.jsonl")
    content = (tmp_path / "in/b.jsonl").read_bytes()
    (tmp_path / "in/b.jsonl").write_bytes(content.replace("山".encode(), "川".encode()))
    with pytest.raises(OutputRefused, match="in/b.jsonl has other content"):
        run("in", "out.jsonl", **SETTINGS)
    (tmp_path / "in/b.jsonl").unlink()
    with pytest.raises(OutputRefused, match="in/b.jsonl was an input, and is none"):
        run("in", "out.jsonl", **SETTINGS)
    (tmp_path / "in/b.jsonl").write_bytes(content)
    (tmp_path / "in/c.jsonl").write_bytes(content)
    with pytest.raises(OutputRefused, match="in/c.jsonl is an input, and was none"):
        run("in", "out.jsonl", **SETTINGS)
    with pytest.raises(OutputRefused, match="the inputs come in another order"):
        run("in/b.jsonl", "in/a.jsonl", "out.jsonl", **SETTINGS)
    (tmp_path / "in/c.jsonl").unlink()
    run("in", "out.jsonl", **SETTINGS)
    assert len(read_rows("out.jsonl")) == 60


def test_overwrite_goes_on_with_the_same_and_begins_anew_with_another(begin, run, rows, monkeypatch):
    from spacy_luke_ja.annotation import run as module

    real, numbers = module.do_chunk, []
    begin("in.jsonl", "out.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(module, "do_chunk", lambda *args: numbers.append(args[-1].number) or real(*args))
        run("in.jsonl", "out.jsonl", **SETTINGS, overwrite=True)
    assert numbers[0] == 2
    Path("out.jsonl").rename("first.jsonl")
    Path("out.jsonl.rejects.jsonl").unlink()
    begin("in.jsonl", "out.jsonl")
    run("in.jsonl", "out.jsonl", **SETTINGS, overwrite=True, min_score=0.1)
    assert len(read_rows("out.jsonl")) == len(read_rows("first.jsonl"))


def test_stdin_is_compared_with_what_it_was(begin, run, tmp_path):
    content = "".join(f"{row.get('text')}\n" for row in ROWS).encode()
    begin("-", "out.jsonl", stdin=io.BytesIO(content))
    with pytest.raises(OutputRefused, match="- has other content"):
        run("-", "out.jsonl", **SETTINGS, stdin=io.BytesIO(content[:-5]))
    run("-", "out.jsonl", **SETTINGS, stdin=io.BytesIO(content))
    run("-", "whole.jsonl", **SETTINGS, stdin=io.BytesIO(content))
    assert Path("out.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    assert files_in(tmp_path) == ["out.jsonl", "whole.jsonl"]


def test_chunks_do_not_change_what_is_found(run, rows):
    run("in.jsonl", "whole.jsonl")
    run("in.jsonl", "out.jsonl", chunk_bytes=1)
    assert names_of(read_rows("out.jsonl")) == names_of(read_rows("whole.jsonl"))


def test_two_runs_cannot_share_an_output(run, rows, tmp_path):
    from spacy_luke_ja.training.directories import lock_directory

    (tmp_path / "out.jsonl.parts").mkdir()
    with lock_directory(tmp_path / "out.jsonl.parts"):
        with pytest.raises(OSError, match="another annotation writes to .*out.jsonl.parts"):
            run("in.jsonl", "out.jsonl")


@pytest.mark.slow
def test_processes_write_the_same_and_may_be_killed(checkpoints, rows, tmp_path):
    """By the command itself: also their children end with a process that is killed."""
    command = [sys.executable, "-m", "spacy", "luke", "annotate", str(rows), "--model", str(checkpoints["luke"])]
    single = subprocess.run([*command, str(tmp_path / "whole.jsonl"), "--chunk-size", "1"])
    assert single.returncode == 3
    several = [*command, str(tmp_path / "out.jsonl"), "--chunk-size", "1", "--n-process", "2"]
    for _ in range(3):
        process = subprocess.Popen(several, start_new_session=True)
        parts = tmp_path / "out.jsonl.parts"
        n_before = len(list(parts.glob("*.done")))
        while process.poll() is None and len(list(parts.glob("*.done"))) == n_before:
            time.sleep(0.01)
        process.kill()
        process.wait()
        for _ in range(500):
            if not is_group_alive(process.pid):
                break
            time.sleep(0.02)
        assert not is_group_alive(process.pid)
    if not (tmp_path / "out.jsonl").exists() or parts.exists():
        assert subprocess.run(several).returncode == 3
    for name in ("{}", "{}.rejects.jsonl"):
        pair = [(tmp_path / name.format(own)).read_bytes() for own in ("out.jsonl", "whole.jsonl")]
        assert pair[0] == pair[1]


def is_group_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
