"""A new task is a Task, a CheckpointPipe and a factory; windows, saving, training and the runtimes are there."""

import numpy as np
import pytest
import spacy
from spacy.cli import app
from spacy.training import Example
from spacy.util import fix_random_seed
from thinc.api import Adam
from typer.testing import CliRunner

import spacy_luke_ja
import spacy_luke_ja.cli  # the commands
from spacy_luke_ja.models.architectures import fill_model
from spacy_luke_ja.models.problem_type import check_problem_type
from spacy_luke_ja.models.task import TOKEN_CLASSIFIER, Task
from spacy_luke_ja.models.whole_text import WholeTextTask
from spacy_luke_ja.pipeline.checkpoint_pipe import CheckpointPipe
from spacy_luke_ja.pipeline.factory import make_factory
from spacy_luke_ja.pipeline.settings import setting, share
from spacy_luke_ja.text.decoding import log_softmax


class TopicTask(Task):
    """The classes of a text: the mean of its subwords' rows."""

    head = TOKEN_CLASSIFIER

    def join(self, item, plan, rows, *, n_tags):
        return np.concatenate([np.zeros((0, n_tags), dtype="float32"), *rows]).sum(axis=0) / max(1, sum(map(len, rows)))

    def split(self, d_output, plan):
        n_rows = sum(map(len, plan))
        return [np.tile(d_output / n_rows, (len(window), 1)).astype("float32") for window in plan]


class Topics(CheckpointPipe):
    """Classes of texts.

    least: below it, a class is left out.
    """

    factory = "toy_topics"
    task = TopicTask()
    default_checkpoint = "ja_luke_ner_sm"

    least: float = setting(share("least"), default=0.0)

    def predict(self, docs):
        self.load()
        return [np.exp(log_softmax(logits[None]))[0].tolist() for logits in self.model.predict(list(docs))]

    def set_annotations(self, docs, scores):
        for doc, own in zip(docs, scores):
            doc.cats = {tag: p for tag, p in zip(self._shim.checkpoint.tags, own) if p >= self.least}

    def _summed_loss(self, examples, outputs):
        gold = [[example.reference.cats.get(tag, 0.0) for tag in self._shim.checkpoint.tags] for example in examples]
        log_probs = log_softmax(np.array(outputs, dtype="float64"))
        return -float((np.array(gold) * log_probs).sum()), list(np.exp(log_probs) - np.array(gold)), len(outputs)


make_topics = make_factory(Topics, functions={"scorer": None}, assigns=["doc.cats"])


class NumberTask(WholeTextTask):
    """A number of a text."""

    def read_checkpoint(self, checkpoint):
        check_problem_type(checkpoint, ["regression"])
        return {}


class Numbers(CheckpointPipe):
    """Numbers of texts."""

    factory = "toy_numbers"
    task = NumberTask()
    default_checkpoint = "ja_luke_sm"

    def predict(self, docs):
        self.load()
        return [float(row[0]) for row in self.model.predict(list(docs))]

    def set_annotations(self, docs, scores):
        for doc, number in zip(docs, scores):
            doc.user_data["number"] = number

    def initialize(self, get_examples, *, nlp=None):
        checkpoint = self._open().with_new_classifier(["number"], self.task.head.task)
        checkpoint = checkpoint.with_config(problem_type="regression")
        fill_model(self.model, self.task, checkpoint, new_head=True)

    def _summed_loss(self, examples, outputs):
        errors = np.array([row[0] - own.reference.user_data["number"] for own, row in zip(examples, outputs)])
        return float((errors**2).sum()), [np.array([2 * own], dtype="float32") for own in errors], len(outputs)


make_numbers = make_factory(Numbers, functions={"scorer": None})
LONG = "山田花子は東京へ行った。" * 30


def pipeline(name, **model):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("toy_topics", config={"model": {"name": str(name), "overlap": 8, "precision": "float32", **model}})
    return nlp


def test_it_reads_saves_and_loads(checkpoints, tmp_path):
    nlp = pipeline(checkpoints["random_luke"])
    expected = nlp(LONG).cats
    assert sum(expected.values()) == pytest.approx(1.0) and len(set(expected.values())) > 1
    nlp.get_pipe("toy_topics").least = 0.05
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded(LONG).cats == {tag: p for tag, p in expected.items() if p >= 0.05}
    assert [doc.cats == nlp(doc.text).cats for doc in loaded.pipe(["", "東京", LONG])] == [True] * 3


def test_it_learns(checkpoints):
    nlp = pipeline(checkpoints["random_luke"])
    nlp.get_pipe("toy_topics").load()
    tag = nlp.get_pipe("toy_topics")._shim.checkpoint.tags[3]
    example = Example.from_dict(nlp.make_doc(LONG), {"cats": {tag: 1.0}})
    optimizer = Adam(1e-2)
    losses = [nlp.update([example], sgd=optimizer, losses={})["toy_topics"] for _ in range(10)]
    assert losses[-1] < 0.5 * losses[0] and max(nlp(LONG).cats, key=nlp(LONG).cats.get) == tag


@pytest.fixture(scope="module")
def numbers(checkpoints):
    """A pipeline that learned 1 of a short text and -1 of one of several windows."""
    fix_random_seed(0)
    nlp = spacy_luke_ja.blank()
    model = {"name": str(checkpoints["bare_luke"]), "overlap": 8, "window": 50, "precision": "float32"}
    nlp.add_pipe("toy_numbers", config={"model": model})
    examples = [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in ("東京", LONG[:96])]
    for example, number in zip(examples, (1.0, -1.0)):
        example.reference.user_data["number"] = number
    nlp.initialize(lambda: examples)
    optimizer = Adam(1e-2)
    for _ in range(20):
        nlp.update(examples, sgd=optimizer)
    return nlp


def test_a_task_that_gives_a_text_a_row_reads_texts_of_any_length(numbers, tmp_path):
    texts = ["東京", LONG[:96], ""]
    expected = [doc.user_data["number"] for doc in numbers.pipe(texts)]
    assert expected[:2] == pytest.approx([1.0, -1.0], abs=0.2)
    numbers.to_disk(tmp_path)
    assert [doc.user_data["number"] for doc in spacy.load(tmp_path).pipe(texts)] == pytest.approx(expected, abs=1e-5)


def test_a_task_says_which_problem_types_it_takes(numbers, tmp_path):
    numbers.to_disk(tmp_path)
    with pytest.raises(ValueError, match="must be one of single_label_.*, multi_label_.*, got regression"):
        pipe = {"model": {"name": str(tmp_path / "toy_numbers" / "model")}}
        spacy_luke_ja.blank().add_pipe("luke_textcat", config=pipe).load()
    path = tmp_path / "toy_numbers" / "model" / "config.json"
    path.write_text(
        path.read_text(encoding="utf8").replace("regression", "multi_label_classification"), encoding="utf8"
    )
    with pytest.raises(ValueError, match="problem_type .* must be one of regression, got multi_label_classification"):
        spacy.load(tmp_path)("東京")


def test_the_command_quantize_takes_it(numbers, tmp_path):
    pytest.importorskip("openvino")
    numbers.to_disk(tmp_path / "nlp")
    result = CliRunner().invoke(app, ["luke", "quantize", str(tmp_path / "nlp"), str(tmp_path / "int8")])
    assert result.exit_code == 0, result.output
    assert spacy.load(tmp_path / "int8")(LONG[:96]).user_data["number"] == pytest.approx(-1.0, abs=0.3)


def test_another_runtime_takes_it(checkpoints):
    pytest.importorskip("openvino")
    name = checkpoints["random_luke"]
    expected = pipeline(name)(LONG).cats
    found = pipeline(name, **{"@architectures": "spacy-luke-ja.OpenVINOModel.v1"})(LONG).cats
    assert found == {tag: pytest.approx(p, abs=1e-3) for tag, p in expected.items()}


@pytest.mark.parametrize("config, message", [
    ({"least": 2.0}, "least must be between 0 and 1, got 2.0"),
    ({"most": 1.0}, "most"),
    ({"model": {"windw": 5}}, "windw"),
    ({"model": {"window": 0}}, "window must be at least 1, got 0"),
])  # fmt: skip
def test_a_setting_that_cannot_be_is_named(config, message):
    with pytest.raises(ValueError, match=message):
        spacy_luke_ja.blank().add_pipe("toy_topics", config=config)
    if "model" not in config:
        model = spacy_luke_ja.blank().add_pipe("toy_topics").model
        with pytest.raises((TypeError, ValueError), match=message):
            Topics(spacy_luke_ja.blank().vocab, model, **config)
