"""Training to the end, or killed and resumed: the same pipeline on disk, and never a broken one."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from safetensors import SafetensorError
from safetensors.numpy import load_file
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from thinc.api import Config

import spacy_luke_ja
import toy_corpora
import toys
from spacy_luke_ja import make_example
from spacy_luke_ja.training import loop
from spacy_luke_ja.training.batches import checksum_of
from spacy_luke_ja.training.outputs import OutputRefused
from spacy_luke_ja.training.progress import CannotResume


@pytest.fixture
def config(checkpoints, tmp_path):
    nlp = spacy_luke_ja.blank()
    model = {"name": str(checkpoints["bare_luke"]), "overlap": 8, "precision": "float32"}
    nlp.add_pipe("luke_ner", config={"model": model})
    docs = [make_example(nlp, text, spans).reference for text, spans in toys.EXAMPLES]
    config = nlp.config.copy()
    for part in ("train", "dev"):
        DocBin(docs=docs).to_disk(tmp_path / f"{part}.spacy")
        config["corpora"][part] = {"@readers": "spacy.Corpus.v1", "path": str(tmp_path / f"{part}.spacy")}
    config["training"].update(max_steps=20, eval_frequency=5, dropout=0.1, accumulate_gradient=2)
    config["training"]["batcher"] = {"@batchers": "spacy.batch_by_sequence.v1", "size": 2}
    schedule = {"@schedules": "warmup_linear.v1", "initial_rate": 0.005, "warmup_steps": 5, "total_steps": 40}
    config["training"]["optimizer"] = {"@optimizers": "spacy-luke-ja.AdamW.v1", "learn_rate": schedule}
    config["training"]["score_weights"] = {"char_ents_f": 1.0}
    return config


def run(config, path, *, stdout=None, **settings):
    path.mkdir(exist_ok=True)
    return loop.train(init_nlp(config), path, stdout=stdout or io.StringIO(), **settings)


def weights(path, which="model-last"):
    tensors = load_file(path / which / "luke_ner" / "model" / "model.safetensors")
    return {name: tensor.tobytes() for name, tensor in tensors.items()}


def contents(path):
    """Every file, with what it holds and when it was written."""
    files = (file_ for file_ in path.rglob("*") if file_.is_file())
    return {str(file_.relative_to(path)): (file_.stat().st_mtime_ns, file_.read_bytes()) for file_ in files}


class Killed(Exception):
    pass


def kill_at(step, config, path, monkeypatch, *, by=Killed, **settings):
    """Train until something fails in a step, as if the process had ended there."""
    update = loop.update

    def fail(nlp, batch, settings, optimizer, dropout, at, *args):
        if at == step:
            raise by
        update(nlp, batch, settings, optimizer, dropout, at, *args)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "update", fail)
        with pytest.raises(by):
            run(config, path, **settings)


def use_spacy_ner(config):
    nlp = spacy.blank("ja")
    nlp.add_pipe("ner")
    config["nlp"], config["components"] = nlp.config["nlp"], nlp.config["components"]
    config["training"]["optimizer"] = {"@optimizers": "Adam.v1"}
    config["training"]["score_weights"] = {"ents_f": 1.0}


@pytest.mark.parametrize("component", ["luke_ner", "ner"])
def test_the_result_is_that_of_spacy_train(config, tmp_path, component):
    if component == "ner":
        use_spacy_ner(config)
    run(config, tmp_path / "ours")
    (tmp_path / "spacy").mkdir()
    spacy_train(init_nlp(config), tmp_path / "spacy", stdout=io.StringIO())
    file_name = {"luke_ner": "luke_ner/model/model.safetensors", "ner": "ner/model"}[component]
    for which in ("model-last", "model-best"):
        ours, theirs = ((tmp_path / who / which / file_name).read_bytes() for who in ("ours", "spacy"))
        assert ours == theirs
    names = {path.name for path in (tmp_path / "ours").iterdir()}
    assert names == {"model-last", "model-best", "training-log.jsonl", "resume"}


def use_averages(config):
    config["training"]["optimizer"]["use_averages"] = True


def use_growing_batches(config):
    size = {"@schedules": "compounding.v1", "start": 8, "stop": 60, "compound": 1.2}
    config["training"]["batcher"] = {
        "@batchers": "spacy.batch_by_words.v1",
        "size": size,
        "tolerance": 0.2,
        "discard_oversize": False,
    }


def use_a_stream(config):
    config["training"]["max_epochs"] = -1
    config["initialize"]["components"] = {"luke_ner": {"labels": ["人名", "地名", "政治的組織名", "法人名"]}}


def use_changed_copies(config):
    forms = {"nfd": 1.0, "title": 1.0, "plain": 1.0}
    augmenter = {"@augmenters": "spacy-luke-ja.NoisyText.v1", "level": 0.5, "forms": forms, "mention_share": 0.5}
    config["corpora"]["train"]["augmenter"] = augmenter


def use_other_copies_in_every_epoch(config):
    use_a_stream(config)
    use_changed_copies(config)


def use_bfloat16_before_training(config):
    config["components"]["luke_ner"]["model"]["precision"] = "bfloat16"


@pytest.mark.parametrize(
    "change",
    [
        None,
        use_averages,
        use_growing_batches,
        use_a_stream,
        use_changed_copies,
        use_other_copies_in_every_epoch,
        use_bfloat16_before_training,
    ],
)
def test_a_killed_run_goes_on_to_the_same_result(config, tmp_path, monkeypatch, change):
    if change:
        change(config)
    run(config, tmp_path / "whole")
    kill_at(8, config, tmp_path / "killed", monkeypatch)
    kill_at(13, config, tmp_path / "killed", monkeypatch, resume=True)
    assert (tmp_path / "killed" / "resume").exists()
    run(config, tmp_path / "killed", resume=True)
    for which in ("model-last", "model-best"):
        assert weights(tmp_path / "killed", which) == weights(tmp_path / "whole", which)
    logs = [[json.loads(line) for line in (tmp_path / run / "training-log.jsonl").read_text().splitlines()]
            for run in ("whole", "killed")]  # fmt: skip
    for log in logs:
        for line in log:
            del line["seconds"], line["scores"]["speed"]
    assert logs[0] == logs[1] and [line["step"] for line in logs[0]] == [0, 5, 10, 15, 20]


def test_other_components_resume_too(config, tmp_path, monkeypatch):
    """spaCy's own ner draws random numbers in its updates."""
    use_spacy_ner(config)
    run(config, tmp_path / "whole")
    kill_at(8, config, tmp_path / "killed", monkeypatch)
    run(config, tmp_path / "killed", resume=True)
    models = [(tmp_path / run / "model-last" / "ner" / "model").read_bytes() for run in ("whole", "killed")]
    assert models[0] == models[1]


@pytest.fixture
def qa_config(config, checkpoints, tmp_path):
    """luke_qa on toy questions."""
    nlp = spacy_luke_ja.blank()
    model = {"name": str(checkpoints["bare_luke"]), "overlap": 8, "precision": "float32"}
    nlp.add_pipe("luke_qa", config={"model": model})
    config["nlp"], config["components"] = nlp.config["nlp"], nlp.config["components"]
    for part in ("train", "dev"):
        path = toy_corpora.write_squad(tmp_path / f"{part}.json")
        config["corpora"][part] = {"@readers": "spacy-luke-ja.SquadCorpus.v1", "path": str(path)}
    config["training"]["score_weights"] = {"qa_f": 1.0}
    return config


def test_answers_resume_too(qa_config, tmp_path, monkeypatch):
    run(qa_config, tmp_path / "whole")
    kill_at(8, qa_config, tmp_path / "killed", monkeypatch)
    run(qa_config, tmp_path / "killed", resume=True)
    models = [(tmp_path / run / "model-last" / "luke_qa" / "model" / "model.safetensors").read_bytes()
              for run in ("whole", "killed")]  # fmt: skip
    assert models[0] == models[1]
    log = (tmp_path / "killed" / "training-log.jsonl").read_text(encoding="utf8").splitlines()
    assert [json.loads(line)["scores"]["qa_n"] for line in log] == [7] * 5


@pytest.mark.parametrize("old, new", [("誰が行きましたか。", "誰がですか。"), ('"text": "山田花子"', '"text": "山田"')])
def test_other_questions_or_answers_cannot_be_resumed(qa_config, tmp_path, monkeypatch, old, new):
    kill_at(8, qa_config, tmp_path / "run", monkeypatch)
    for part, name in (("train", "training"), ("dev", "dev")):
        path = tmp_path / f"{part}.json"
        before = path.read_text(encoding="utf8")
        assert old in before
        path.write_text(before.replace(old, new), encoding="utf8")
        with pytest.raises(CannotResume, match=f"the checksum of the {name} data was .* and is .* now"):
            run(qa_config, tmp_path / "run", resume=True)
        path.write_text(before, encoding="utf8")


def test_heads_on_a_shared_encoder_resume_too(config, checkpoints, tmp_path, monkeypatch):
    pytest.importorskip("spacy_transformers")
    shared = Config().from_disk(Path(__file__).parents[2] / "configs" / "luke_shared.cfg", interpolate=False)
    config["nlp"]["pipeline"], config["components"] = shared["nlp"]["pipeline"], shared["components"]
    config["components"]["transformer"]["model"].update(name=str(checkpoints["bare_luke"]), overlap=8)
    config["training"]["score_weights"] = {"ents_f": 1.0}
    run(config, tmp_path / "whole")
    kill_at(8, config, tmp_path / "killed", monkeypatch)
    run(config, tmp_path / "killed", resume=True)
    for name in ("transformer", "tagger", "ner"):
        models = [(tmp_path / run / "model-last" / name / "model").read_bytes() for run in ("whole", "killed")]
        assert models[0] == models[1]


def test_a_run_without_a_seed_resumes_where_it_was(config, tmp_path, monkeypatch):
    """There is no other run to compare with: the batches after the kill are those that were left."""
    config["training"]["seed"] = None
    seen = {}
    update = loop.update

    def record(nlp, batch, settings, optimizer, dropout, step, *args):
        seen[step] = [example.reference.text for example in batch]  # in place of what was not saved
        update(nlp, batch, settings, optimizer, dropout, step, *args)

    monkeypatch.setattr(loop, "update", record)
    kill_at(13, config, tmp_path / "killed", monkeypatch)  # two batches an epoch; saved after step 10, in an epoch
    run(config, tmp_path / "killed", resume=True)
    texts = sorted(text for text, _ in toys.EXAMPLES)
    assert list(seen) == list(range(21))
    assert all(sorted(seen[step] + seen[step + 1]) == texts for step in range(0, 20, 2))


@pytest.mark.slow
def test_a_killed_process_goes_on_to_the_same_result(config, tmp_path):
    config["training"]["before_update"] = {"@callbacks": "kill_at.v1"}
    config.to_disk(tmp_path / "config.cfg")
    code = (
        "import os, signal, sys, spacy\n"
        "@spacy.registry.callbacks('kill_at.v1')\n"
        "def make():\n"
        "    def kill(nlp, args):\n"
        "        if args['step'] == int(os.environ.get('KILL_AT', -1)): os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return kill\n"
    )
    (tmp_path / "code.py").write_text(code)
    arguments = [sys.executable, "-m", "spacy", "luke", "train", "config.cfg", "--code", "code.py", "--resume"]

    def train(output, **env):
        import os

        return subprocess.run(
            [*arguments, "-o", output], cwd=tmp_path, env={**os.environ, **env}, capture_output=True, text=True
        )

    assert train("whole").returncode == 0
    assert train("killed", KILL_AT="12").returncode == -9
    assert "going on from step 11" in train("killed").stdout
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


def test_a_run_resumed_with_fewer_epochs_than_it_had_ends(config, tmp_path, monkeypatch):
    kill_at(13, config, tmp_path / "run", monkeypatch)
    config["training"]["max_epochs"] = 3
    before = contents(tmp_path / "run")
    printed = io.StringIO()
    run(config, tmp_path / "run", resume=True, stdout=printed)
    assert "is finished, after step 10" in printed.getvalue() and contents(tmp_path / "run") == before


def test_a_frozen_component_resumes_as_it_was(config, checkpoints, tmp_path, monkeypatch):
    """In reduced precision, its weights are saved as its checkpoint has them."""
    model = {"name": str(checkpoints["luke"]), "overlap": 8, "precision": "bfloat16"}
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": model})
    nlp.add_pipe("ner")
    config["nlp"], config["components"] = nlp.config["nlp"], nlp.config["components"]
    config["training"].update(frozen_components=["luke_ner"], score_weights={"ents_f": 1.0})
    run(config, tmp_path / "whole")
    kill_at(8, config, tmp_path / "killed", monkeypatch)
    run(config, tmp_path / "killed", resume=True)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
    models = [(tmp_path / run / "model-last" / "ner" / "model").read_bytes() for run in ("whole", "killed")]
    assert models[0] == models[1]


def test_other_settings_or_data_cannot_be_resumed(config, tmp_path, monkeypatch):
    kill_at(8, config, tmp_path / "run", monkeypatch)
    config["training"]["max_steps"] = 25  # how long to train may change
    other = config.copy()
    other["training"]["dropout"] = 0.2
    with pytest.raises(CannotResume, match="training.dropout was '0.1' and is '0.2' now"):
        run(other, tmp_path / "run", resume=True)
    nlp = spacy_luke_ja.blank()
    fewer = toys.EXAMPLES[:3]
    other_label = [*toys.EXAMPLES[:3], (toys.EXAMPLES[3][0], [(1, 2, "人名"), *toys.EXAMPLES[3][1][1:]])]
    for part, name in (("train", "training"), ("dev", "dev")):
        path = Path(config["corpora"][part]["path"])
        before = path.read_bytes()
        for data in (fewer, other_label):
            DocBin(docs=[make_example(nlp, text, spans).reference for text, spans in data]).to_disk(path)
            with pytest.raises(CannotResume, match=f"the checksum of the {name} data was .* and is .* now"):
                run(config, tmp_path / "run", resume=True)
        path.write_bytes(before)


def test_without_resume_training_starts_anew(config, tmp_path, monkeypatch):
    run(config, tmp_path / "whole")
    kill_at(8, config, tmp_path / "killed", monkeypatch)
    run(config, tmp_path / "killed")
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")])
def test_a_full_disk_leaves_the_pipeline_before(config, tmp_path, monkeypatch, error):
    kill_at(8, config, tmp_path / "run", monkeypatch)
    before = weights(tmp_path / "run"), weights(tmp_path / "run", "model-best")

    def full(self, path, **kwargs):
        (path / "half").write_bytes(b"")
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(spacy.language.Language, "to_disk", full)
        with pytest.raises(OSError, match="model-last cannot be written.*No space left.*saved before is untouched"):
            run(config, tmp_path / "run", resume=True)
    assert (weights(tmp_path / "run"), weights(tmp_path / "run", "model-best")) == before
    run(config, tmp_path / "run", resume=True)
    run(config, tmp_path / "whole")
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_a_run_that_fails_before_it_saves_leaves_the_pipelines_before(config, tmp_path, monkeypatch):
    run(config, tmp_path / "run")
    before = weights(tmp_path / "run"), weights(tmp_path / "run", "model-best")
    kill_at(0, config, tmp_path / "run", monkeypatch)
    assert (weights(tmp_path / "run"), weights(tmp_path / "run", "model-best")) == before


def test_what_is_said_of_too_few_steps_and_of_nothing_to_resume(config, tmp_path):
    config["training"]["max_steps"] = 2
    printed = io.StringIO()
    (tmp_path / "run").mkdir()
    loop.train(init_nlp(config), tmp_path / "run", resume=True, stdout=printed)
    assert "only the first step will be scored and can be the best; lower eval_frequency" in printed.getvalue()
    assert "no run to go on with" in printed.getvalue()


def test_training_stops_early(config, tmp_path):
    config["training"]["patience"] = 5
    config["training"]["optimizer"]["learn_rate"] = 0.0
    run(config, tmp_path / "run")
    log = (tmp_path / "run" / "training-log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [0, 5]


def test_an_empty_corpus_is_named(config, tmp_path):
    DocBin(docs=[]).to_disk(config["corpora"]["train"]["path"])
    with pytest.raises(ValueError, match="no examples to learn from: the training corpus is empty"):
        run(config, tmp_path / "run")


def test_an_empty_dev_corpus_and_labels_that_only_dev_has(config, tmp_path, capsys):
    config["training"]["max_steps"] = 1
    docs = [make_example(spacy_luke_ja.blank(), "鯛と東京", [(0, 1, "魚"), (2, 4, "地名")]).reference]
    for data in (docs, []):
        DocBin(docs=data).to_disk(tmp_path / "dev.spacy")
        config["corpora"]["dev"] = {"@readers": "spacy.Corpus.v1", "path": str(tmp_path / "dev.spacy")}
        if data:
            printed = io.StringIO()
            loop.train(init_nlp(config), tmp_path / "run", stdout=printed)
            assert "dev has labels that train lacks: 魚; they cannot be learned" in printed.getvalue()
        else:
            with pytest.raises(ValueError, match="training.dev_corpus is empty"):
                run(config, tmp_path / "run")


def test_a_corpus_without_entities_is_named(config, tmp_path):
    doc = make_example(spacy_luke_ja.blank(), "カタカナ", []).reference
    DocBin(docs=[doc]).to_disk(config["corpora"]["train"]["path"])
    with pytest.raises(ValueError, match="none of the 1 examples has an entity, so there is no label to learn"):
        run(config, tmp_path / "run")


# Runs that have finished


def use_more_steps(config):
    config["training"]["max_steps"] = 20


def use_more_epochs(config):
    config["training"].update(max_steps=0, max_epochs=10)


def use_more_patience(config):
    config["training"].update(max_steps=20, patience=100)


@pytest.mark.parametrize("n_steps", [10, 12])  # an evaluation, and between two
@pytest.mark.parametrize("change", [use_more_steps, use_more_epochs, use_more_patience])
def test_a_finished_run_goes_on_when_it_may_be_longer(config, tmp_path, change, n_steps):
    """As if it had been longer from the beginning."""
    longer = config.copy()
    change(longer)
    run(longer, tmp_path / "whole")
    if change is use_more_epochs:
        config["training"].update(max_steps=0, max_epochs=n_steps // 2)  # two batches each
    elif change is use_more_patience:
        config["training"].update(max_steps=20, patience=n_steps)
    else:
        config["training"]["max_steps"] = n_steps
    run(config, tmp_path / "run")
    run(longer, tmp_path / "run", resume=True)
    for which in ("model-last", "model-best"):
        assert weights(tmp_path / "run", which) == weights(tmp_path / "whole", which)
    steps = [[json.loads(line)["step"] for line in (tmp_path / name / "training-log.jsonl").read_text().splitlines()]
             for name in ("run", "whole")]  # fmt: skip
    assert steps[0] == steps[1]


def test_a_finished_run_says_so_and_is_left_alone(config, tmp_path):
    run(config, tmp_path / "run")
    before = contents(tmp_path / "run")
    for max_steps in (20, 15):
        config["training"]["max_steps"] = max_steps
        printed = io.StringIO()
        last = run(config, tmp_path / "run", resume=True, stdout=printed)
        assert "is finished, after step 20" in printed.getvalue() and "raise training.max_steps" in printed.getvalue()
        assert last == tmp_path / "run" / "model-last" and contents(tmp_path / "run") == before
    config["training"]["dropout"] = 0.3
    with pytest.raises(CannotResume, match="train without --resume"):
        run(config, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == before


def test_a_run_without_what_it_needs_to_go_on_is_left_alone(config, tmp_path, monkeypatch):
    run(config, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "resume")
    before = contents(tmp_path / "run")
    with pytest.raises(CannotResume, match="model-best and model-last, and no resume. To start anew, train without"):
        run(config, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == before
    kill_at(0, config, tmp_path / "run", monkeypatch)  # it was said to start anew
    run(config, tmp_path / "run", resume=True)


@pytest.mark.parametrize("at", [2, 8])
def test_ctrl_c_leaves_the_last_weights(config, tmp_path, monkeypatch, at):
    """As spaCy does; and the run goes on from its last evaluation with the same result."""
    kill_at(at, config, tmp_path / "run", monkeypatch, by=KeyboardInterrupt)
    stopped = weights(tmp_path / "run")
    config["training"]["max_steps"] = at - 1
    run(config, tmp_path / "shorter")
    assert stopped == weights(tmp_path / "shorter")
    assert spacy.load(tmp_path / "run" / "model-last")("東京")
    config["training"]["max_steps"] = 20
    run(config, tmp_path / "run", resume=True)
    run(config, tmp_path / "whole")
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_ctrl_c_before_the_first_step_leaves_the_pipelines_before(config, tmp_path, monkeypatch):
    run(config, tmp_path / "run")
    before = weights(tmp_path / "run"), weights(tmp_path / "run", "model-best")
    kill_at(0, config, tmp_path / "run", monkeypatch, by=KeyboardInterrupt)
    assert (weights(tmp_path / "run"), weights(tmp_path / "run", "model-best")) == before


@pytest.mark.parametrize("name", ["state.msgpack", "pipeline/luke_ner/model/model.safetensors", "pipeline/config.cfg"])
@pytest.mark.parametrize("damage", ["is missing", "is damaged"])
def test_what_is_broken_of_a_run_is_named(config, tmp_path, monkeypatch, name, damage):
    kill_at(8, config, tmp_path / "run", monkeypatch)
    path = tmp_path / "run" / "resume" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink() if damage == "is missing" else path.write_bytes(content)
    before = contents(tmp_path / "run")
    with pytest.raises(CannotResume, match=f"resume cannot go on: {name} {damage}. To start anew, train without"):
        run(config, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == before


# Files of the user's


def test_files_of_others_in_a_run_are_not_deleted(config, tmp_path, monkeypatch):
    kill_at(8, config, tmp_path / "run", monkeypatch)
    for name in (
        *("model-best/thesis.txt", "model-best/vocab/mine.txt", "model-last/luke_ner/notes.md"),
        *("model-last/luke_ner/model/old.safetensors", "resume/notes.md", "resume/pipeline/notes.md"),
    ):
        (tmp_path / "run" / name).write_text("mine")
        before = contents(tmp_path / "run")
        place, _, file_name = name.partition("/")
        for resume in (False, True):
            with pytest.raises(OutputRefused, match=f"{place} .*{file_name}.*[Mm]ove it away"):
                run(config, tmp_path / "run", resume=resume)
        assert contents(tmp_path / "run") == before
        (tmp_path / "run" / name).unlink()
    run(config, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    "name, content",
    [("model-best/novel.txt", "mine"), ("model-last/meta.json", "{}"), ("resume/cv.txt", "mine"), ("resume", "mine"),
     ("training-log.jsonl", "Monday: ran 5 km\n"), ("model-best", "mine"), ("resume/state.msgpack", "x")],
)  # fmt: skip
def test_a_directory_that_has_other_things_of_these_names(config, tmp_path, name, content):
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(OutputRefused, match=name.partition("/")[0]):
        run(config, tmp_path / "run")
    assert contents(tmp_path / "run") == {name: (path.stat().st_mtime_ns, content.encode())}


@pytest.mark.parametrize("name", ["model-best.old", "model-best.new", "model-last.old", "resume.new", ".luke-new-x"])
def test_directories_beside_are_left_alone(config, tmp_path, name):
    config["training"]["max_steps"] = 1
    (tmp_path / "run" / name).mkdir(parents=True)
    (tmp_path / "run" / name / "backup").write_text("mine")
    run(config, tmp_path / "run")
    run(config, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / name / "backup").read_text() == "mine"


def test_a_file_that_comes_while_training_is_not_deleted(config, tmp_path, monkeypatch):
    update = loop.update

    def write(nlp, batch, settings, optimizer, dropout, step, *args):
        update(nlp, batch, settings, optimizer, dropout, step, *args)
        if step == 7:
            (tmp_path / "run" / "model-last" / "notes.md").write_text("mine")

    monkeypatch.setattr(loop, "update", write)
    with pytest.raises(OutputRefused, match="model-last is not replaced: beside a pipeline it holds notes.md"):
        run(config, tmp_path / "run")
    assert (tmp_path / "run" / "model-last" / "notes.md").read_text() == "mine"


@pytest.mark.parametrize("name", ["model-best", "model-last", "resume", "training-log.jsonl", ""])
def test_links_stay_and_what_they_lead_to_is_written(config, tmp_path, name):
    config["training"]["max_steps"] = 6
    (tmp_path / "big").mkdir()
    (tmp_path / "run").parent.mkdir(exist_ok=True)
    link = tmp_path / "run" / name if name else tmp_path / "run"
    if name:
        (tmp_path / "run").mkdir()
        link.symlink_to(tmp_path / "big" / "there")
    else:
        (tmp_path / "big" / "there").mkdir()
        link.symlink_to(tmp_path / "big" / "there")
    run(config, tmp_path / "run")
    run(config, tmp_path / "run")
    assert link.is_symlink() and (tmp_path / "big" / "there").exists()
    assert spacy.load(tmp_path / "run" / "model-best").pipe_names == ["luke_ner"]
    config["training"]["max_steps"] = 12
    run(config, tmp_path / "run", resume=True)
    assert link.is_symlink() and [path.name for path in (tmp_path / "big").iterdir()] == ["there"]


@pytest.mark.parametrize("target, said", [("model-best", "leads back to itself"), ("../gone/model", "no directory")])
def test_links_that_lead_nowhere(config, tmp_path, target, said):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model-best").symlink_to(target)
    with pytest.raises(OutputRefused, match=f"model-best is a link .*{said}"):
        run(config, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["model-best"]


def test_two_links_to_one_place(config, tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("model-best", "model-last"):
        (tmp_path / "run" / name).symlink_to(tmp_path / "model")
    with pytest.raises(OutputRefused, match="model-best and model-last in .* are links to one place"):
        run(config, tmp_path / "run")


def test_what_is_read_is_not_replaced(config, tmp_path):
    config["training"]["max_steps"] = 1
    run(config, tmp_path / "run")
    before = contents(tmp_path / "run")
    again = config.copy()
    again["components"]["luke_ner"]["model"]["name"] = str(tmp_path / "run" / "model-best" / "luke_ner" / "model")
    with pytest.raises(OutputRefused, match="model-best would be replaced, and holds .*luke_ner/model"):
        run(again, tmp_path / "run")
    with pytest.raises(OutputRefused, match="model-last would be replaced, and holds .*config.cfg"):
        run(config, tmp_path / "run", inputs=[tmp_path / "run" / "model-last" / "config.cfg"])
    assert contents(tmp_path / "run") == before


def test_two_trainings_in_one_directory(config, tmp_path, monkeypatch):
    update = loop.update
    refused = []

    def train_twice(nlp, batch, settings, optimizer, dropout, step, *args):
        update(nlp, batch, settings, optimizer, dropout, step, *args)
        if step == 3:
            with pytest.raises(OSError, match=f"another training writes to .* .process {os.getpid()}.") as error:
                run(config, tmp_path / "run")
            refused.append(error)

    monkeypatch.setattr(loop, "update", train_twice)
    run(config, tmp_path / "run")
    run(config, tmp_path / "run", resume=True)
    assert len(refused) == 1 and not list((tmp_path / "run").glob(".luke*"))


# The bar


def test_a_bar_on_a_terminal(config, tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for has_bar in (False, True):
        config["training"]["logger"]["progress_bar"] = has_bar
        terminal, file_ = Terminal(), io.StringIO()
        run(config, tmp_path / "run", stderr=terminal)
        assert ("/21" in terminal.getvalue(), "/5" in terminal.getvalue()) == (not has_bar, has_bar)
    run(config, tmp_path / "run", stderr=file_)
    assert file_.getvalue() == ""


@pytest.mark.parametrize("change", [
    lambda doc: spacy_luke_ja.set_gold_answers(doc, "どこ？", [(0, 2)]),
    lambda doc: spacy_luke_ja.set_gold_answers(doc, "どこ？", []),
    lambda doc: spacy_luke_ja.set_annotated_labels(doc, ["地名"]),
    lambda doc: doc.user_data.update({"mine": 1}),
    lambda doc: doc.cats.update({"旅": 1.0}),
])  # fmt: skip
def test_the_checksum_of_data_has_all_that_is_annotated(change):
    make = spacy_luke_ja.blank().make_doc
    doc, other = make("東京へ行った。"), make("東京へ行った。")
    change(other)
    again = make("東京へ行った。")
    change(again)
    again.user_data["what cannot be saved"] = object()
    assert checksum_of([doc]) != checksum_of([other]) == checksum_of([again])
