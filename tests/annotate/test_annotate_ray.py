"""--engine ray on two workers of this machine: what one process writes, also when workers end."""

import gzip
from pathlib import Path

import pytest

from annotate_toys import TEXTS, files_in, read_rows, rejects_of, write_jsonl

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray", reason="needs ray: pip install 'spacy_luke_ja[ray]'")
pytest.importorskip("pyarrow")
pandas = pytest.importorskip("pandas")

ROWS = [{"id": i, "text": TEXTS[i % len(TEXTS)] + f"{i}番"} for i in range(60)]
ROWS[20] = {"id": 20, "text": None}
SETTINGS = {"chunk_bytes": 300}  # some 12 chunks
REJECTS = ".rejects.jsonl"
ON_RAY = {**SETTINGS, "engine": "ray", "concurrency": 2}

# 毒 makes the pipeline fail; 死 ends its process; 一度 does so once; 群 does unless its text comes alone, or there is peace.
CODE = """
import os
from pathlib import Path
from spacy.language import Language

PLACE = Path({place!r})


def end_once():
    try:
        (PLACE / "ended").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), 9)


@Language.factory("ends_processes")
def make(nlp, name):
    return EndsProcesses()


class EndsProcesses:
    def __call__(self, doc):
        if "毒" in doc.text:
            raise RuntimeError("poisoned")
        if "死" in doc.text:
            os.kill(os.getpid(), 9)
        if "一度" in doc.text:
            end_once()
        return doc

    def pipe(self, docs, batch_size=1):
        docs = list(docs)
        if len(docs) > 1 and any("群" in doc.text for doc in docs) and not (PLACE / "peace").exists():
            os.kill(os.getpid(), 9)
        return map(self, docs)
"""


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory):
    """Its workers stand in another directory than the command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        ray.init(num_cpus=2, num_gpus=0, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def fragile(checkpoints, tmp_path_factory):
    """A folder with a pipeline whose process ends at some texts."""
    import spacy_luke_ja

    place = tmp_path_factory.mktemp("fragile")
    code = CODE.format(place=str(place))
    (place / "code.py").write_text(code, encoding="utf8")
    exec(compile(code, str(place / "code.py"), "exec"), {"__name__": "python_code"})
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(checkpoints["luke"])}}).load()
    nlp.add_pipe("ends_processes", first=True)
    nlp.to_disk(place / "pipeline")
    return place


@pytest.fixture
def run_fragile(run, fragile):
    def run_fragile(rows, output, *, peace=False, **settings):
        for mark in ("ended", "peace"):
            (fragile / mark).unlink(missing_ok=True)
        if peace:
            (fragile / "ended").touch()
            (fragile / "peace").touch()
        write_jsonl(Path("in.jsonl"), rows)
        return run("in.jsonl", output, model=str(fragile / "pipeline"), code=fragile / "code.py", **settings)

    return run_fragile


def with_texts(texts):
    return [{**row, "text": texts[i]} if i in texts else row for i, row in enumerate(ROWS)]


def assert_same(one, other):
    for ending in ("", REJECTS):
        assert Path(one + ending).read_bytes() == Path(other + ending).read_bytes()


@pytest.mark.parametrize("ending", [".jsonl.gz", ".parquet"])
def test_the_output_is_that_of_one_process(run, tmp_path, ending):
    write_jsonl(tmp_path / "in.jsonl", ROWS)
    result = run("in.jsonl", f"one{ending}", **SETTINGS)
    on_ray = run("in.jsonl", f"ray{ending}", **ON_RAY)
    assert_same(f"one{ending}", f"ray{ending}")
    assert (on_ray.n_records, on_ray.n_rejects, on_ray.n_chunks) == (59, 1, result.n_chunks) and result.n_chunks > 9
    assert not Path(f"ray{ending}.parts").exists()


def test_inputs_of_each_kind(run, tmp_path):
    rows = [row for row in ROWS if row["text"]]
    (tmp_path / "in").mkdir()
    write_jsonl(tmp_path / "in/a.jsonl", rows)
    (tmp_path / "in/b.jsonl.gz").write_bytes(gzip.compress((tmp_path / "in/a.jsonl").read_bytes()))
    (tmp_path / "in/c.txt").write_text("\n".join(row["text"] for row in rows), encoding="utf8")
    frame = pandas.DataFrame(rows)
    frame.to_csv("in/d.csv", index=False)
    frame.to_parquet("in/e.parquet")
    run("in/a.jsonl", "in/f.spacy")
    run("in", "one.jsonl", **SETTINGS)
    run("in", "ray.jsonl", **ON_RAY)
    assert Path("one.jsonl").read_bytes() == Path("ray.jsonl").read_bytes()
    assert len(read_rows("ray.jsonl")) == 6 * len(rows)


def test_a_worker_that_is_killed(run_fragile, fragile):
    rows = with_texts({31: "大阪へ一度行く。"})
    run_fragile(rows, "one.jsonl", peace=True, **SETTINGS)
    run_fragile(rows, "ray.jsonl", **ON_RAY)
    assert (fragile / "ended").exists()
    assert_same("one.jsonl", "ray.jsonl")
    assert files_in(Path()) == sorted(["in.jsonl", *(n + e for n in ("one.jsonl", "ray.jsonl") for e in ("", REJECTS))])


def test_a_poisoned_record_is_rejected(run_fragile):
    rows = with_texts({7: "毒の東京", 44: "毒の大阪"})
    run_fragile(rows, "one.jsonl", **SETTINGS)
    run_fragile(rows, "ray.jsonl", **ON_RAY)
    assert_same("one.jsonl", "ray.jsonl")
    assert [(own["line"], own["id"]) for own in rejects_of("ray.jsonl")] == [(8, 7), (21, 20), (45, 44)]


def test_records_that_end_their_process_are_rejected(run_fragile):
    lethal = [1, 30]
    result = run_fragile(with_texts(dict.fromkeys(lethal, "死んだ東京")), "ray.jsonl", **ON_RAY)
    assert [own["id"] for own in rejects_of("ray.jsonl")] == sorted([20, *lethal]) and result.n_rejects == 1 + len(
        lethal
    )
    assert {own["reason"] for own in rejects_of("ray.jsonl") if own["id"] != 20} == {
        "the process that annotates it ends there, each time"
    }
    run_fragile([row for i, row in enumerate(ROWS) if i not in lethal], "one.jsonl", **SETTINGS)
    assert Path("one.jsonl").read_bytes() == Path("ray.jsonl").read_bytes()


def test_what_ends_processes_without_a_record_to_blame_is_an_error(run_fragile):
    """And what is done goes on in one process."""
    rows = with_texts({50: "群れの東京"})
    with pytest.raises(OSError, match="4 actors ended.*in.jsonl from line or record .*the same command goes on"):
        run_fragile(rows, "ray.jsonl", **ON_RAY)
    n_done = len(list(Path("ray.jsonl.parts").glob("*.done")))
    assert n_done > 5 and not Path("ray.jsonl").exists()
    result = run_fragile(rows, "ray.jsonl", peace=True, **SETTINGS)
    run_fragile(rows, "one.jsonl", peace=True, **SETTINGS)
    assert_same("one.jsonl", "ray.jsonl")
    assert result.n_characters < sum(len(row["text"] or "") for row in rows) / 2


def test_it_goes_on_from_what_one_process_did(run, tmp_path, monkeypatch):
    from spacy_luke_ja.annotation import run as module

    write_jsonl(tmp_path / "in.jsonl", ROWS)
    real = module.do_chunk

    def stop(nlp, job, chunk):
        if chunk.number == 3:
            raise KeyboardInterrupt
        return real(nlp, job, chunk)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "do_chunk", stop)
        run("in.jsonl", "ray.jsonl", **SETTINGS)
    assert len(list(Path("ray.jsonl.parts").glob("*.done"))) == 3
    result = run("in.jsonl", "ray.jsonl", **ON_RAY)
    assert result.n_records == 59 and result.n_characters < sum(len(row["text"] or "") for row in ROWS)
    run("in.jsonl", "one.jsonl", **SETTINGS)
    assert_same("one.jsonl", "ray.jsonl")


def test_more_actors_than_there_is_room_for(run, tmp_path):
    write_jsonl(tmp_path / "in.jsonl", ROWS)
    run("in.jsonl", "one.jsonl", **SETTINGS)
    run("in.jsonl", "ray.jsonl", **{**ON_RAY, "concurrency": 5})
    assert_same("one.jsonl", "ray.jsonl")


def test_errors_of_an_actor_are_those_of_one_process(run, tmp_path, checkpoints):
    write_jsonl(tmp_path / "in.jsonl", ROWS)
    for settings in (SETTINGS, ON_RAY):
        with pytest.raises(OSError, match="nowhere"):
            run("in.jsonl", "out.jsonl", **settings, model="./nowhere")
    with pytest.raises(ValueError, match="gives each actor a GPU, and the Ray cluster has none"):
        run("in.jsonl", "gpu.jsonl", **ON_RAY, gpu_id=0)


def test_ray_data_maps_frames(checkpoints, tmp_path):
    """As docs/from-one-file-to-a-cluster.md shows."""
    import ray.data

    from spacy_luke_ja import map_frames

    model = str(checkpoints["luke"])

    class Annotate:
        def __init__(self):
            self.find = map_frames(model, text_column="text")

        def __call__(self, frame):
            return next(self.find([frame]))

    pandas.DataFrame(ROWS).to_parquet(tmp_path / "in.parquet")
    texts = ray.data.read_parquet(str(tmp_path / "in.parquet"))
    found = texts.map_batches(Annotate, concurrency=1, batch_format="pandas", batch_size=10)  # the other core reads
    found.write_parquet(str(tmp_path / "out"))
    rows = pandas.read_parquet(tmp_path / "out").sort_values("id").to_dict("records")
    assert [row["id"] for row in rows] == list(range(60)) and rows[20]["entities"] is None
    assert [entity["text"] for entity in rows[5]["entities"]] == ["山田花子", "東京都"]
