"""`spacy luke export-hf`: transformers, whichever version, reads the same subwords, logits and labels."""

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import spacy
import torch
import transformers
from spacy.training import Example
from typer.testing import CliRunner

import spacy_luke_ja
import toys
from spacy_luke_ja import make_example
from spacy_luke_ja.cli import app
from spacy_luke_ja.models.hf_checkpoint import SENTENCEPIECE, open_checkpoint
from spacy_luke_ja.models.hf_tokenizer import open_encoder
from spacy_luke_ja.models.sentencepiece_file import CONTROL, UNIGRAM, read_sentencepiece_file
from spacy_luke_ja.models.tokenizer_export import export_tokenizer
from spacy_luke_ja.pipeline.hf_export import EXPORT_MARK, name_tags
from spacy_luke_ja.pipeline.ner_labels import TagLabels
from spacy_luke_ja.text.label_schemes import make_scheme

GOLDEN = Path(__file__).parent / "golden" / "export_hf.json"
TEXTS = [
    "山田花子は東京都で日立製作所の社長に会った。",
    "ﾄﾞｰﾑとﾊﾟｿｺﾝ、ｶﾞｷﾞｸﾞｹﾞｺﾞ",
    "か\u3099き\u3099く\u3099、は\u309aひ\u309a。e\u0301",
    "ＡＢＣ　ＤＥＦ　１２３",
    "㈱日立㍿①㌔～~ｰ",
    "  東京  と\r\n大阪\t\n",
    "国会\u2028東京\x85大阪\x0b京都",
    "<s>東京</s><pad><unk><mask>＜ｓ＞",
    "😀👨\u200d👩\u200d👧\ufe0f山田",
    "\ufeff\u200b東京\x01\x08",
]


def run(*arguments):
    result = CliRunner().invoke(app, ["export-hf", *map(str, arguments)])
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def export(tmp_path):
    def do(pipeline, *options):
        path = tmp_path / "exported"
        code, output = run(pipeline, path, *options)
        assert code == 0, output
        return path

    return do


def pipe(path, **settings):
    return transformers.pipeline("token-classification", model=str(path), aggregation_strategy="simple", **settings)


def entities(ner, text):
    return [(text[found["start"] : found["end"]], found["entity_group"]) for found in ner(text)]


def half_width(text):
    kana = {unicodedata.normalize("NFKC", chr(i)): chr(i) for i in range(0xFF61, 0xFFA0)}
    kana.update({"\u3099": "ﾞ", "\u309a": "ﾟ"})
    return "".join(kana.get(char, char) for char in unicodedata.normalize("NFD", text))


FORMS = [str, half_width, lambda text: unicodedata.normalize("NFD", text)]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "ja_luke_ner_sm"
    code, output = run("ja_luke_ner_sm", path)
    assert code == 0, output
    return path


@pytest.mark.parametrize(
    "checkpoint", ["luke", "luke_bin", "random_luke", "xlmr", "fast_xlmr", "bert", "roberta", "deberta"]
)
def test_subwords_and_logits_are_ours(checkpoint, checkpoints, make_nlp, tmp_path):
    nlp = make_nlp(checkpoint, model={"precision": "float32", "window": 40})
    nlp.to_disk(tmp_path / "pipeline")
    code, output = run(tmp_path / "pipeline", tmp_path / "exported")
    assert code == 0, output
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "exported")
    model = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "exported")
    assert model.dtype == torch.float32
    component = nlp.get_pipe("luke_ner")
    encoder = component.subword_encoder
    for text in [*TEXTS, *toys.TEXTS]:
        inputs = tokenizer(text, return_tensors="pt")
        ids = encoder.encode(text).ids.tolist()
        if "<" not in text:
            assert inputs["input_ids"][0].tolist() == [*encoder.prefix_ids, *ids, *encoder.suffix_ids], text
        else:
            assert not {*tokenizer.all_special_ids} - {encoder.unk_id} & {*inputs["input_ids"][0].tolist()[1:-1]}
            continue
        if 0 < len(ids) <= 40 and "\n" not in text and "\u2028" not in text:
            with torch.inference_mode():
                logits = model(**inputs).logits[0].numpy()
            n_before = len(encoder.prefix_ids)
            (ours,) = component.model.predict([nlp.make_doc(text)])
            assert np.allclose(logits[n_before : n_before + len(ids)], ours.logits, atol=1e-4), text


@pytest.mark.parametrize("checkpoint", ["luke", "xlmr"])
@pytest.mark.parametrize("text", ["山田花子は東京都へ行った。", "ＡＢ　大阪で山田花子と日立製作所", "国会と東京"])
def test_transformers_finds_the_labels_of_the_doc(checkpoint, checkpoints, export, text, make_nlp):
    """ORG-P of the checkpoint, too, which transformers would read as P."""
    found = entities(pipe(export(checkpoints[checkpoint])), text)
    assert [(part.strip(), label) for part, label in found] == [
        (ent.text, ent.label_) for ent in make_nlp(checkpoint)(text).ents
    ]


def test_a_label_map_is_in_the_names_of_tags(make_nlp, export, tmp_path):
    make_nlp("luke", label_map={"人名": "PERSON", "地名": "GPE", "法人名": ""}).to_disk(tmp_path / "pipeline")
    found = entities(pipe(export(tmp_path / "pipeline")), "山田花子は東京都の日立製作所へ。")
    assert found == [("山田花子", "PERSON"), ("東京都", "GPE")]


@pytest.mark.parametrize(
    "tags, scheme, names",
    [
        ("O B-人名 I-人名", None, "O B-人名 I-人名"),
        ("O PER ORG-P", "IO", "O I-PER I-ORG-P"),
        ("O B-人名 I-人名 E-人名 S-人名", None, "O B-人名 I-人名 I-人名 B-人名"),
        ("O B-人名 I-人名 L-人名 U-人名", None, "O B-人名 I-人名 I-人名 B-人名"),
        ("O I-人名 I-other", "IO", "O I-人名 O"),
    ],
)
def test_tags_of_every_scheme_get_names_that_transformers_joins(tags, scheme, names):
    read = make_scheme(tags.split(), scheme=scheme)
    labels = {label: label for label in read.labels if label and label != "other"}
    assert name_tags(TagLabels(read, labels)) == names.split()


def test_a_trained_pipeline_with_a_new_label(make_nlp, export, tmp_path):
    nlp = make_nlp("luke", model={"precision": "float32"})
    component = nlp.get_pipe("luke_ner")
    nlp("東京")
    component.add_label("道具")
    gold = make_example(spacy_luke_ja.blank(), "カタカナのテキスト", [(0, 4, "道具")]).reference
    optimizer = nlp.resume_training()
    for _ in range(3):
        nlp.update([Example(nlp.make_doc(gold.text), gold)], sgd=optimizer)
    nlp.to_disk(tmp_path / "pipeline")
    path = export(tmp_path / "pipeline")
    settings = json.loads((path / "config.json").read_text(encoding="utf8"))
    assert {"B-道具", "I-道具"} <= set(settings["id2label"].values())
    model = transformers.AutoModelForTokenClassification.from_pretrained(path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    with torch.inference_mode():
        logits = model(**tokenizer(gold.text, return_tensors="pt")).logits[0, 1:-1].numpy()
    (ours,) = spacy.load(tmp_path / "pipeline").get_pipe("luke_ner").model.predict([nlp.make_doc(gold.text)])
    assert np.allclose(logits, ours.logits, atol=0.05)  # it may run in bfloat16


def test_the_embedded_model_gives_the_same_numbers_under_every_version(embedded):
    """The golden numbers are those of both transformers 4.53.2 and 5.23.0."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(embedded)
    model = transformers.AutoModelForTokenClassification.from_pretrained(embedded)
    for text, expected in json.loads(GOLDEN.read_text(encoding="utf8")).items():
        inputs = tokenizer(text, return_tensors="pt")
        assert inputs["input_ids"][0].tolist() == expected["ids"]
        with torch.inference_mode():
            logits = model(**inputs).logits[0].numpy()
        assert np.allclose(logits.max(axis=1), expected["highest"], atol=1e-3)
        assert logits.argmax(axis=1).tolist() == expected["tags"]


@pytest.mark.parametrize("form", FORMS)
def test_subwords_of_other_writings_are_sentencepieces(form):
    from tokenizers import Tokenizer

    checkpoint = open_checkpoint("ja_luke_ner_sm")
    encoder = open_encoder(checkpoint)
    backend = Tokenizer.from_str(export_tokenizer(checkpoint, encoder, max_subwords=512)["tokenizer.json"])
    backend.encode_special_tokens = True
    everyday = Path(__file__).parents[1] / "data" / "everyday" / "test.jsonl"
    texts = [json.loads(line)["text"] for line in everyday.read_text(encoding="utf8").splitlines()]
    differ = [
        text
        for text in map(form, [*texts, *TEXTS])
        if backend.encode(text, add_special_tokens=False).ids != encoder.encode(text).ids.tolist()
    ]
    assert len(differ) <= 1  # before 0.2.2, sentencepiece chose otherwise between two equal ways to cut one of them


def test_the_file_of_a_sentencepiece_model_is_read_as_the_library_reads_it():
    content, processor = toys.sentencepiece_model(), toys.processor()
    file_ = read_sentencepiece_file(content)
    assert [piece.text for piece in file_.pieces] == [processor.id_to_piece(i) for i in range(len(processor))]
    assert np.allclose([piece.score for piece in file_.pieces], [processor.get_score(i) for i in range(len(processor))])
    assert [piece.kind == CONTROL for piece in file_.pieces] == [processor.is_control(i) for i in range(len(processor))]
    assert file_.algorithm == UNIGRAM and file_.is_plain and len(file_.normalization) > 100_000
    for damaged in (content[:1000], b"\xff" * 40):
        with pytest.raises(ValueError, match="no sentencepiece model"):
            read_sentencepiece_file(damaged)


@pytest.mark.parametrize(
    "checkpoint, settings, reason",
    [
        ("slow_bert", {}, "BertJapaneseTokenizer"),
        ("character_bert", {}, "BertJapaneseTokenizer"),
        ("luke", {"label_subwords": "first"}, "label_subwords is first"),
    ],
)
def test_what_transformers_would_read_otherwise_is_refused_by_name(checkpoint, settings, reason, make_nlp, tmp_path):
    make_nlp(checkpoint, **settings).to_disk(tmp_path / "pipeline")
    code, output = run(tmp_path / "pipeline", tmp_path / "exported")
    assert code == 1 and reason in output
    assert not (tmp_path / "exported").exists()


def test_a_pipeline_without_luke_ner_is_refused(tmp_path):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    code, output = run(tmp_path / "pipeline", tmp_path / "exported")
    assert code == 1 and "the pipeline has no luke_ner, only sentencizer" in output


def test_weights_of_eight_bits_are_refused(checkpoints, tmp_path):
    pytest.importorskip("openvino")
    assert CliRunner().invoke(app, ["quantize", str(checkpoints["luke"]), str(tmp_path / "int8")]).exit_code == 0
    code, output = run(tmp_path / "int8", tmp_path / "exported")
    assert code == 1 and "eight bits" in output


def test_nothing_of_others_is_overwritten(checkpoints, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "README.md").write_text("mine")
    code, output = run(checkpoints["luke"], theirs)
    assert code == 1 and "did not write" in output and (theirs / "README.md").read_text() == "mine"
    ours = tmp_path / "ours"
    assert run(checkpoints["luke"], ours)[0] == 0 and run(checkpoints["luke"], ours)[0] == 0
    (ours / "notes.txt").write_text("mine")
    code, output = run(checkpoints["luke"], ours)
    assert code == 1 and "notes.txt" in output and (ours / "notes.txt").exists()
    (ours / "notes.txt").unlink()
    code, output = run(ours, ours)
    assert code == 1 and "is what the command reads" in output
    (tmp_path / "file").write_text("mine")
    assert run(checkpoints["luke"], tmp_path / "file")[0] == 1 and (tmp_path / "file").read_text() == "mine"


def test_the_card_says_which_to_use(embedded, make_nlp, export, tmp_path):
    card = (embedded / "README.md").read_text(encoding="utf8")
    assert EXPORT_MARK in card and "license: cc-by-sa-4.0" in card and "# ja_luke_ner_sm" in card
    temperature = json.loads((embedded / "config.json").read_text(encoding="utf8"))["score_temperature"]
    assert "Which to use" in card and f"temperature {temperature}" in card and "`cut_cost` 2" in card
    make_nlp("xlmr").to_disk(tmp_path / "plain")
    plain = (export(tmp_path / "plain") / "README.md").read_text(encoding="utf8")
    assert (
        "license" not in plain and "cut_cost" not in plain and "temperature" not in plain and "62 subwords" not in plain
    )
    assert "more than 64 subwords" in plain


def test_our_own_loader_reads_the_directory_too(embedded):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(embedded)}})
    text = "夏目漱石は東京帝国大学で英文学を教えた。"
    assert [(ent.text, ent.label_) for ent in nlp(text).ents] == [("夏目漱石", "人名"), ("東京帝国大学", "法人名")]
    assert SENTENCEPIECE not in [path.name for path in embedded.iterdir()]
