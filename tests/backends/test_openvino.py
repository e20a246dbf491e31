"""OpenVINO finds what PyTorch finds, in every precision that it offers."""

import pickle
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy.cli import app
from typer.testing import CliRunner

import spacy_luke_ja
import spacy_luke_ja.cli  # the commands
import toys
from spacy_luke_ja.backends import openvino as backend
from spacy_luke_ja.backends.openvino import MAX_PADDING, MAX_POSITIONS, OpenVINOShim
from spacy_luke_ja.cli.quantize import find_runnable
from spacy_luke_ja.models.hf_checkpoint import EMBEDDED, open_checkpoint
from spacy_luke_ja.models.hf_shim import HFShim
from spacy_luke_ja.models.int8 import SCALES, is_rounded, multiply_scales, round_matrices, round_rows
from spacy_luke_ja.models.settings import ModelSettings
from spacy_luke_ja.models.types import WindowBatch
from spacy_luke_ja.text.windows import group_by_length

ARCHITECTURE = "spacy-luke-ja.OpenVINOModel.v1"
TEXTS = [
    "トヨタ自動車の豊田章男社長は東京で会見した。",
    "",
    "羽田空港から札幌へ。トヨタ自動車の豊田章男社長は東京で会見した。" * 60,
    "2021年、NHKが紅白歌合戦を放送した。",
    "。",
]
SAMPLES = [text for text, _ in toys.EXAMPLES]
LENGTHS = [30, 7, 29, 2, 1, 30, 12]


def make_nlp(name="ja_luke_ner_sm", precision="float32"):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe(
        "luke_ner",
        config={"model": {"@architectures": ARCHITECTURE, "name": str(name), "overlap": 16, "precision": precision}},
    )
    return nlp


def entities(nlp, texts=TEXTS):
    return [[(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] for doc in nlp.pipe(texts)]


def random_batch(pad_id=1):
    ids = np.random.default_rng(0).integers(4, 14, sum(LENGTHS))
    return WindowBatch(ids.astype("int64"), np.array(LENGTHS), pad_id)


def loaded(shim, path):
    shim.load(open_checkpoint(str(path)))
    return shim


@pytest.mark.parametrize("name", ["random_luke", "bert", "roberta", "ja_luke_ner_sm"])
def test_logits(checkpoints, name):
    path = checkpoints.get(name, EMBEDDED / name)
    expected = loaded(HFShim(ModelSettings(precision="float32")), path).infer(random_batch())
    found = loaded(OpenVINOShim(ModelSettings(precision="float32")), path).infer(random_batch())
    assert found.dtype == np.float32 and float(expected.std()) > 0.05
    np.testing.assert_allclose(found, expected, atol=2e-4 * float(np.abs(expected).max()))
    rounded = loaded(OpenVINOShim(ModelSettings(precision="int8")), path).infer(random_batch())
    assert 0 < float(np.abs(rounded - expected).mean()) < 0.1 * float(expected.std())


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16", "int8"])
def test_the_default_model_finds_the_same(precision):
    expected = spacy_luke_ja.blank()
    expected.add_pipe("luke_ner", config={"model": {"precision": "float32"}})
    assert entities(make_nlp(precision=precision)) == entities(expected)
    assert sum(map(len, entities(expected))) > 300


def test_saving_keeps_what_was_stored(checkpoints, tmp_path):
    nlp = make_nlp(checkpoints["luke"])
    before = entities(nlp, SAMPLES)
    nlp.to_disk(tmp_path / "nlp")
    stored = safetensors_of(tmp_path / "nlp")
    original = safetensors_of(checkpoints["luke"], folder="")
    original = {name.replace("luke.", "roberta.", 1): tensor for name, tensor in original.items()}
    assert stored and all(torch.equal(tensor, original[name]) for name, tensor in stored.items())
    assert entities(spacy.load(tmp_path / "nlp"), SAMPLES) == before
    restored = make_nlp(checkpoints["luke"]).from_bytes(nlp.to_bytes())
    assert entities(restored, SAMPLES) == before


def test_eight_bits_are_saved_as_such(tmp_path):
    nlp = make_nlp(precision="int8")
    batch = random_batch()
    logits = shim_of(nlp).infer(batch)
    nlp.to_disk(tmp_path / "nlp")
    tensors = safetensors_of(tmp_path / "nlp")
    assert {tensor.dtype for name, tensor in tensors.items() if is_rounded(name)} == {torch.int8}
    again = spacy.load(tmp_path / "nlp")
    np.testing.assert_array_equal(shim_of(again).infer(batch), logits)
    again.to_disk(tmp_path / "again")
    second = safetensors_of(tmp_path / "again")
    assert tensors.keys() == second.keys() and all(
        torch.equal(tensor, second[name]) for name, tensor in tensors.items()
    )
    np.testing.assert_array_equal(shim_of(make_nlp(precision="int8").from_bytes(nlp.to_bytes())).infer(batch), logits)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_pytorch_reads_eight_bits_too(tmp_path, precision):
    nlp = make_nlp(precision="int8")
    nlp.to_disk(tmp_path / "nlp")
    found = loaded(HFShim(ModelSettings(precision=precision)), tmp_path / "nlp" / "luke_ner" / "model").infer(
        random_batch()
    )
    expected = shim_of(nlp).infer(random_batch())
    assert float(np.abs(found - expected).mean()) < 0.05 * float(expected.std())


def safetensors_of(path, folder="luke_ner/model"):
    from safetensors.torch import load_file

    return load_file(path / folder / "model.safetensors")


def shim_of(nlp):
    component = nlp.get_pipe("luke_ner")
    component.load()
    return component._shim


def test_processes_and_threads():
    nlp = make_nlp()
    expected = entities(nlp)
    found = list(nlp.pipe(TEXTS * 2, n_process=2, batch_size=3))
    assert [[(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] for doc in found] == expected * 2
    component, batch = nlp.get_pipe("luke_ner"), random_batch()
    alone = component._shim.infer(batch)
    with ThreadPoolExecutor(4) as pool:
        for logits in pool.map(lambda _: component._shim.infer(batch), range(16)):
            np.testing.assert_array_equal(logits, alone)


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_copy_for_a_spawned_process_finds_the_same(is_loaded):
    nlp = make_nlp()
    if is_loaded:
        nlp.get_pipe("luke_ner").load()
    assert entities(pickle.loads(pickle.dumps(nlp))) == entities(nlp)


def test_a_fork_can_compile_nothing_new(monkeypatch):
    monkeypatch.setattr(backend, "_first_process_id", 1)
    with pytest.raises(RuntimeError, match="load\\(\\) before nlp.pipe with n_process"):
        make_nlp()("東京")


def test_it_does_not_train():
    nlp = make_nlp()
    example = spacy.training.Example.from_dict(nlp.make_doc("東京へ"), {"entities": [(0, 2, "地名")]})
    with pytest.raises(ValueError, match="does not train, and an update needs it; train with"):
        nlp.update([example])


def test_other_types_are_refused(checkpoints):
    with pytest.raises(ValueError, match="of the type deberta-v2, and the OpenVINO model runs xlm-roberta, luke"):
        make_nlp(checkpoints["deberta"])("東京")


def test_precision_is_checked():
    with pytest.raises(ValueError, match="one of auto, float32, bfloat16, int8 with OpenVINO, got float16"):
        make_nlp(precision="float16")


@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_the_precision_in_use_is_what_the_processor_has(monkeypatch, precision):
    for has_bfloat16, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(backend, "cpu_has_bfloat16", lambda answer=has_bfloat16: answer)
        assert OpenVINOShim(ModelSettings(precision=precision)).precision_in_use == expected


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r"pip install 'spacy-luke-ja\[openvino\]'"):
        make_nlp()("東京")


@given(st.lists(st.integers(1, 512), min_size=1, max_size=60))
def test_groups_have_each_window_once_and_little_padding(lengths):
    groups = list(group_by_length(lengths, max_subwords=MAX_POSITIONS, max_padding=MAX_PADDING))
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        n_positions = len(group) * max(lengths[i] for i in group)
        assert n_positions <= MAX_POSITIONS
        assert n_positions - sum(lengths[i] for i in group) <= MAX_PADDING * n_positions


@given(st.integers(0, 2**31), st.sampled_from([1e-8, 1.0, 1e4]))
def test_rounding_twice_is_rounding_once(seed, size):
    matrix = torch.randn(5, 7, generator=torch.Generator().manual_seed(seed)) * size
    matrix[0] = 0
    rounded, scales = round_rows(matrix)
    assert bool(((rounded * scales - matrix).abs() <= scales * 0.5001).all())
    again, scales_again = round_rows(rounded * scales)
    assert torch.equal(rounded, again)
    torch.testing.assert_close(scales, scales_again)


def test_only_the_encoders_matrices_are_rounded():
    names = ["roberta.embeddings.word_embeddings.weight", "roberta.encoder.layer.0.attention.self.query.weight",
             "roberta.encoder.layer.11.output.dense.weight", "roberta.embeddings.position_embeddings.weight",
             "roberta.encoder.layer.0.output.dense.bias", "classifier.weight"]  # fmt: skip
    tensors = {name: torch.randn(4, 4) for name in names}
    rounded = round_matrices(tensors)
    assert [name for name in names if name + SCALES in rounded] == names[:3]
    multiply_scales(rounded, torch.float32)
    assert rounded.keys() == tensors.keys()
    assert all(torch.equal(rounded[name], tensors[name]) for name in names[3:])


@pytest.mark.parametrize("rest", ["", ', "entities": []'])
def test_quantize(tmp_path, rest):
    data = tmp_path / "texts.jsonl"
    data.write_text("".join(f'{{"text": "{text}"{rest}}}\n' for text in TEXTS if text), encoding="utf8")
    arguments = ["luke", "quantize", "ja_luke_ner_sm", str(tmp_path / "nlp"), "--data", str(data)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    lines = dict(line.split("   ", 1) for line in result.output.splitlines() if "   " in line)
    before, after = map(float, lines["MB on disk"].split())
    assert after < 0.6 * before
    assert set(lines["the other has them too"].split()) == {"100.00%"}
    shutil.move(tmp_path / "nlp", tmp_path / "elsewhere")
    nlp = spacy.load(tmp_path / "elsewhere")
    assert nlp.get_pipe("luke_ner").precision == "int8"
    assert [ent.label_ for ent in nlp(TEXTS[0]).ents] == ["法人名", "人名", "地名"]


@pytest.mark.parametrize("arguments, message", [
    (["--precision", "int4"], "one of auto, float32, bfloat16, int8 with OpenVINO, got int4"),
    (["--data", "nowhere.jsonl"], "there is no file nowhere.jsonl"),
    (["--component", "ner"], "--component must be one of luke_ner, got ner"),
])  # fmt: skip
def test_quantize_says_what_is_wrong(tmp_path, arguments, message):
    result = CliRunner().invoke(app, ["luke", "quantize", "ja_luke_ner_sm", str(tmp_path / "nlp"), *arguments])
    assert result.exit_code == 1 and message in " ".join(result.output.split())  # wasabi wraps lines
    assert not (tmp_path / "nlp").exists()


def test_questions_are_answered_alike(answerers, tmp_path):
    text = "昨日、山田花子は東京都で社長に会った。" + "あいう。" * 60
    expected = None
    for architecture in ("HF", "OpenVINO"):
        nlp = spacy_luke_ja.blank()
        model = {"@architectures": f"spacy-luke-ja.{architecture}Model.v1", "precision": "float32"}
        nlp.add_pipe("luke_qa", config={"model": {**model, "name": str(answerers["luke"]), "overlap": 8}})
        answer = nlp.get_pipe("luke_qa").ask(nlp(text), "誰？")
        found = (answer.text, answer.char_start, pytest.approx(answer.score, rel=1e-3))
        assert found == (expected or found) and answer.text == "山田花子"
        expected = expected or (answer.text, answer.char_start, answer.score)
        if architecture == "HF":
            nlp.to_disk(tmp_path / "hf")
    result = CliRunner().invoke(app, ["luke", "quantize", str(tmp_path / "hf"), str(tmp_path / "int8")])
    assert result.exit_code == 0, result.output
    nlp = spacy.load(tmp_path / "int8")
    assert nlp.get_pipe("luke_qa").precision == "int8"
    assert nlp.get_pipe("luke_qa").ask(nlp(text), "誰？").text == "山田花子"


def test_an_encoder_that_is_told_the_question_is_refused(answerers):
    nlp = spacy_luke_ja.blank()
    model = {
        "@architectures": "spacy-luke-ja.OpenVINOModel.v1",
        "name": str(answerers["bert"]),
        "overlap": 4,
    }
    qa = nlp.add_pipe("luke_qa", config={"model": model})
    with pytest.raises(ValueError, match="use spacy-luke-ja.HFModel.v1"):
        qa.load()


def test_quantize_a_checkpoint_that_answers(answerers, tmp_path):
    result = CliRunner().invoke(app, ["luke", "quantize", str(answerers["random_luke"]), str(tmp_path / "nlp")])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("factories, runnable", [
    (["sentencizer", "luke_ner", "luke_qa", "luke_textcat"], ["luke_ner", "luke_qa", "luke_textcat"]),
    (["luke_entity_typing", "luke_linker", "luke_relations", "luke_span_ner"], []),
])  # fmt: skip
def test_what_needs_no_entities_may_be_quantized(factories, runnable):
    nlp = spacy_luke_ja.blank()
    for factory in factories:
        nlp.add_pipe(factory)
    assert find_runnable(nlp) == runnable


def test_quantize_needs_a_component_that_openvino_runs(tmp_path):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "nlp")
    result = CliRunner().invoke(app, ["luke", "quantize", str(tmp_path / "nlp"), str(tmp_path / "out")])
    message = "the pipeline has no component that OpenVINO runs, only sentencizer"
    assert result.exit_code == 1 and message in " ".join(result.output.split())


def test_quantize_does_not_compare_answers(answerers, tmp_path):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_qa", config={"model": {"name": str(answerers["luke"]), "overlap": 8}})
    nlp.to_disk(tmp_path / "nlp")
    data = tmp_path / "texts.jsonl"
    data.write_text('{"text": "東京", "entities": []}\n', encoding="utf8")
    arguments = ["luke", "quantize", str(tmp_path / "nlp"), str(tmp_path / "out"), "--data", str(data)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1 and "compare by spacy luke evaluate-qa" in " ".join(result.output.split())
