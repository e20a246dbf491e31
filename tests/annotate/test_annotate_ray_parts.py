"""What --engine ray is made of, without Ray: settings, trials of a chunk, actors in this process."""

import gzip
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from annotate_toys import TEXTS, files_in, read_rows
from spacy_luke_ja import RecordSettings
from spacy_luke_ja.annotation import chunks, progress, ray_engine, work
from spacy_luke_ja.annotation.readers import ReadSettings
from spacy_luke_ja.annotation.sources import find_sources
from spacy_luke_ja.annotation.writers import WriteSettings
from spacy_luke_ja.evaluation.pipelines import name_anywhere


@pytest.mark.parametrize(
    "settings, error",
    [
        ({"engine": "spark"}, "--engine must be local or ray, got spark"),
        ({"engine": "ray", "n_process": 2}, "--n-process is for one machine; give --concurrency 2 with --engine ray"),
        ({"concurrency": 3}, "--concurrency is for --engine ray; give --n-process 3 on one machine"),
        ({"engine": "ray", "concurrency": 0}, "--concurrency must be at least 1, got 0"),
    ],
)
def test_settings_that_do_not_go_together(run, tmp_path, monkeypatch, settings, error):
    monkeypatch.setattr("spacy_luke_ja.annotation.settings.import_ray", lambda: None)
    (tmp_path / "in.txt").write_text("東京\n", encoding="utf8")
    with pytest.raises(ValueError, match=error):
        run("in.txt", "out.jsonl", **settings)
    assert files_in(tmp_path) == ["in.txt"]


def test_without_ray(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "in.txt").write_text("東京\n", encoding="utf8")
    with pytest.raises(ImportError, match=r'--engine ray needs the package ray: pip install "spacy_luke_ja\[ray\]"'):
        run("in.txt", "out.jsonl", engine="ray")
    assert files_in(tmp_path) == ["in.txt"]


@pytest.fixture
def job(tmp_path, monkeypatch, checkpoints):
    """Of a packed file, whose cursors go forwards only; its paths are relative."""
    monkeypatch.chdir(tmp_path)
    rows = [{"id": i, "text": TEXTS[i % len(TEXTS)] + f"{i}番"} for i in range(20)]
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    Path("in.jsonl.gz").write_bytes(gzip.compress(content))
    Path("out.jsonl.parts").mkdir()
    Path("out.jsonl.parts/run.json").write_text("{}")
    (source,), _ = find_sources(["in.jsonl.gz"])
    records = RecordSettings()
    pipeline = work.PipelineSettings(str(checkpoints["luke"]))
    state = progress.Progress(Path("out.jsonl.parts"), ".jsonl")
    return work.Job([source], ReadSettings(), pipeline, records, WriteSettings(records), "jsonl", state)


def plan(job):
    return list(chunks.plan_chunks(job.sources, job.reading, chunk_bytes=300, chunk_records=1000))


def test_an_actor_does_chunks_in_any_order_and_twice(job, tmp_path, monkeypatch):
    planned = plan(job)
    job = ray_engine.absolute(job)
    monkeypatch.chdir("/")
    actor = ray_engine.ChunkActor(job, work.digest_of_model(job.pipeline.model))
    actor.get_ready()
    order = [2, 1, 1, 0, 3, *range(len(planned))]
    for n, number in enumerate(order):
        actor.work(planned[number], [], n % 2 == 1)
    parts = [read_rows(job.progress.part(chunk.number)) for chunk in planned]
    assert [row["id"] for part in parts for row in part] == list(range(20))
    assert not list(job.progress.path.glob("*.trying")) and not list(job.progress.path.glob("*.rejects"))
    assert [path for path in files_in(tmp_path) if path.endswith(".tmp")] == []


def test_lethal_records_are_rejected_unseen(job, monkeypatch):
    first = plan(job)[0]
    actor = ray_engine.ChunkActor(job, work.digest_of_model(job.pipeline.model))
    tried = []
    real = work.annotate_records
    monkeypatch.setattr(work, "annotate_records", lambda nlp, own, s: tried.append(own) or real(nlp, own, s))
    counts = actor.work(first, [1], True)
    assert [len(own) for own in tried[:-1]] == [1] * (len(tried) - 1) and len(tried) == counts["n_records"] + 1
    assert [own[0]["id"] for own in tried[:-1]] == [0, *range(2, counts["n_records"] + 1)]
    (reject,) = read_rows(job.progress.rejects(0))
    reason = "the process that annotates it ends there, each time"
    assert reject == {"file": "in.jsonl.gz", "line": 2, "reason": reason, "id": 1}


@pytest.mark.parametrize(
    "change, error",
    [
        ({"version": "0.0"}, "has spacy_luke_ja .*, and needs 0.0, as the command has"),
        ({"content": "another"}, "has another pipeline .*luke than the machine where the command runs"),
        ({"lost": "in.jsonl.gz"}, "has no .*in.jsonl.gz: inputs and OUTPUT must be on a file system that all machines"),
        ({"lost": "out.jsonl.parts/run.json"}, "has no .*run.json: inputs and OUTPUT must be on a file system"),
    ],
)
def test_a_machine_that_is_not_as_the_others(job, change, error):
    settings = {"content": work.digest_of_model(job.pipeline.model), "version": ray_engine.spacy_luke_ja.__version__}
    if "lost" in change:
        Path(change.pop("lost")).unlink()
    with pytest.raises(OSError, match=error):
        ray_engine.ChunkActor(job, **{**settings, **change}).get_ready()


def test_code_that_cannot_be_loaded(job):
    Path("code.py").write_text("1 / 0")
    job = replace(job, pipeline=replace(job.pipeline, code=Path("code.py")))
    with pytest.raises(OSError, match="cannot import --code code.py"):
        ray_engine.ChunkActor(job, work.digest_of_model(job.pipeline.model)).get_ready()


def test_names_of_models_hold_in_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("ja_luke_ner_sm").mkdir()  # which is no pipeline: the embedded one has this name
    for name, same in (("mine", "mine"), ("./mine", "mine"), ("nowhere", None), ("ja_luke_ner_sm", None)):
        assert name_anywhere(name) == (name if same is None else str(tmp_path / same))
    Path("ja_luke_ner_sm/meta.json").touch()
    assert name_anywhere("ja_luke_ner_sm") == str(tmp_path / "ja_luke_ner_sm")


@pytest.mark.parametrize(
    "notes, lethal, is_lost",
    [
        ([""], [], False),
        (["", "3"], [], False),
        (["", "3", "3"], [3], False),
        (["", "3", "5", "5"], [5], False),
        (["", "3", "3", "7", "7", "9", "9"], [3, 7, 9], False),
        (["", "3", "3", "7", "8", "9"], [3], True),
        (["", "", "", ""], [], True),
        (["", "0", "0", "0", ""], [0], False),
    ],
)
def test_who_is_to_blame(job, notes, lethal, is_lost):
    """notes: where each process that ended was; "" where it tried none of the records."""
    trial = ray_engine.Trial(plan(job)[0])
    note = job.progress.note(0)
    for i, content in enumerate(notes):
        note.write_text(content)
        if is_lost and i == len(notes) - 1:
            with pytest.raises(
                OSError, match="actors ended, one after the other, at the texts of in.jsonl.gz from line"
            ):
                trial.lose(job)
        else:
            trial.lose(job)
    assert trial.lethal == lethal
