"""The benchmarks count what they say, those of quality on checkpoints whose entities can be read off the text."""

import importlib.util
import json
import lzma
import sys
from pathlib import Path

import pytest

import spacy_luke_ja
import toy_corpora
import toys
from spacy_luke_ja import CharSpan
from spacy_luke_ja.corpora.records import Record
from spacy_luke_ja.evaluation.measures import EvaluatedText
from spacy_luke_ja.evaluation.pipelines import named_pipelines
from spacy_luke_ja.models import hf_checkpoint, hf_tokenizer

ROOT = Path(__file__).parents[1]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


robustness, out_of_domain, qa_baseline = load("robustness"), load("out_of_domain"), load("qa_baseline")
documents = load("documents")
# The parts of speed.py import each other, as they do when it runs.
sys.path.append(str(ROOT / "benchmarks"))
import new_label  # noqa: E402
import runtimes  # noqa: E402
import speed  # noqa: E402
import speed_checkpoints  # noqa: E402
import speed_measure  # noqa: E402
import speed_ours  # noqa: E402
import speed_process  # noqa: E402
import speed_report  # noqa: E402
import speed_texts  # noqa: E402


def table_rows(output):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in output.splitlines() if line.startswith("| ")]


@pytest.fixture
def toy(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path / "toy")
    return f"toy={tmp_path / 'toy'}"


def test_pipelines_have_names():
    assert named_pipelines(["a=x/y", "z"]) == {"a": "x/y", "z": "z"}
    with pytest.raises(ValueError, match="a name of its own, got a=x, a=y"):
        named_pipelines(["a=x", "a=y"])


def test_each_form_stands_beside_plain(toy, tmp_path, capsys):
    """The lexicon knows 東京 and 日立 in any width, and nothing of ＡＢＣ."""
    texts = [
        {"text": "東京、ｱと日立。", "entities": [[0, 2, "地名"], [5, 7, "法人名"]]},
        {"text": "Abcの人", "entities": [[0, 3, "法人名"]]},
    ]
    path = tmp_path / "dev.jsonl"
    path.write_text("\n".join(json.dumps(text, ensure_ascii=False) for text in texts), encoding="utf8")
    robustness.main(["-p", toy, "--data", str(path)])
    rows = table_rows(capsys.readouterr().out)
    assert rows[0] == ["form", "texts changed", "toy"]
    assert {form: n for form, n, _ in rows[1:]} == {
        "plain": "0", "full_width": "1", "half_width": "1", "nfd": "0", "upper": "1", "no_final_stop": "1", "no_commas": "1",
        "title": "2", "list": "2", "wrapped": "0",
    }  # fmt: skip
    assert rows[1][2] == "0.800"
    assert {cell for _, _, cell in rows[2:]} == {"0.800 (+0.000)"}


def test_a_form_that_is_read_worse_shows(capsys, monkeypatch):
    """A ruler knows ABC by these characters alone."""
    nlp = spacy_luke_ja.blank()
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "法人名", "pattern": "ABC"}])
    monkeypatch.setattr(robustness, "load_pipeline", lambda path: nlp)
    monkeypatch.setattr(
        robustness, "read_records", lambda path: [robustness.Record("ABCの人", (CharSpan(0, 3, "法人名"),))]
    )
    robustness.main(["-p", "ruler"])
    cells = {form: cell for form, _, cell in table_rows(capsys.readouterr().out)}
    assert cells["plain"] == "1.000" and cells["full_width"] == "0.000 (-1.000)" and cells["upper"] == "1.000 (+0.000)"


WAC = {"PERSON": "PERSON", "LOCATION": "LOCATION", "OPTIONAL": "doubtful"}


@pytest.mark.parametrize(
    "gold, found, expected_gold, expected_found",
    [
        ([(0, 2, "LOCATION")], [(0, 2, "地名")], [(0, 2, "LOCATION")], [(0, 2, "LOCATION")]),
        ([(0, 2, "DATE")], [(0, 2, "製品名")], [], []),  # left out on both sides
        ([(0, 2, "DATE")], [(0, 2, "その他の組織名")], [], [(0, 2, "ORGANIZATION")]),  # and nothing excuses this
        ([(0, 4, "OPTIONAL")], [(3, 6, "人名"), (6, 8, "人名")], [], [(6, 8, "PERSON")]),  # touches what is doubtful
        ([(0, 4, "OPTIONAL"), (2, 4, "PERSON")], [(2, 4, "人名")], [(2, 4, "PERSON")], [(2, 4, "PERSON")]),  # is sure
    ],
)
def test_labels_become_classes(gold, found, expected_gold, expected_found):
    spans = lambda triples: tuple(CharSpan(*triple) for triple in triples)
    merged = out_of_domain.merge_labels(EvaluatedText("東京" * 5, spans(gold), spans(found)), WAC)
    assert (merged.gold, merged.found) == (spans(expected_gold), spans(expected_found))


def test_the_tables_of_other_data(toy, tmp_path, capsys):
    text = "東京と山田花子と国会と大阪"
    spans = [("東京", 0, 2, "GPE"), ("山田花子", 3, 7, "PERSON"), ("国会", 8, 10, "NORP"), ("大阪", 11, 13, "FAC")]
    item = {"text": text, "entities": [{"name": name, "span": [a, b], "type": label} for name, a, b, label in spans]}
    with lzma.open(tmp_path / "gsd_dev.jsonl.xz", "wt", encoding="utf8") as file_:
        file_.write(json.dumps(item, ensure_ascii=False) + "\n")
    out_of_domain.main(["-p", toy, "--data", str(tmp_path)])
    output = capsys.readouterr().out
    assert "## wac_dev\n\nskipped: there is no " in output
    rows = table_rows(output)
    assert ["LOCATION", "GPE 1, LOC 0", "地名 LOCATION LOC GPE"] in rows
    assert ["doubtful", "NORP 1", ""] in rows and ["left out", "FAC 1", "all others"] in rows
    scores = {row[1]: row[2:4] + row[4].split()[:1] + row[5:] for row in rows if row[0] == "toy"}
    assert scores == {
        "PERSON": ["1.000", "1.000", "1.000", "1"],
        "LOCATION": ["0.500", "1.000", "0.667", "1"],
        "ORGANIZATION": ["0.000", "0.000", "0.000", "0"],
        "micro": ["0.667", "1.000", "0.800", "2"],
    }
    assert "Found with labels that are left out: toy none." in output


@pytest.mark.parametrize(
    "text, question, answer",
    [
        ("大阪は晴れ。山田花子は東京へ行った。", "誰が東京へ行きましたか。", "山田花子"),
        ("山田花子は東京へ行った。田中一郎は京都へ行った。", "田中一郎はどこへ行きましたか。", "京都"),
        ("彼は笑った。\n約15メートルの仏像がある", "どれほどの高さの仏像がありますか。", "約15メートル"),
        ("東京へ行った。京都と大阪も見た。", "東京へ行ったのは誰ですか。", "京都"),  # no other noun beside it
        ("行った。", "誰が行きましたか。", ""),
    ],
)
def test_answers_without_a_model(text, question, answer):
    nlp = spacy_luke_ja.blank()
    assert qa_baseline.find_answer(nlp(text), nlp(question)) == answer


def test_the_table_of_answers_without_a_model(tmp_path, capsys):
    path = toy_corpora.write_squad(tmp_path / "toy.json")
    (tmp_path / "empty.json").write_text('{"data": []}')
    qa_baseline.main(["--data", str(path), str(tmp_path / "empty.json")])
    qa_baseline.main(["--data", str(path), "--limit", "2"])
    rows = table_rows(capsys.readouterr().out)
    assert rows[0] == ["data", "questions", "exact match", "F1"]
    assert rows[1][:2] == ["toy.json", "7"] and rows[2] == ["empty.json", "0", "0.000", "0.000"]
    assert rows[4] == ["toy.json", "2", "0.500", "0.500"]


# Speed


TINY = speed_checkpoints.Size(32, 2, 4, 64, n_entities=10, entity_width=16, n_pieces=16_100)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return speed_checkpoints.write_checkpoint(tmp_path_factory.mktemp("tiny") / "tiny", TINY)


def test_the_table_of_a_new_label(toy, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(new_label, "N_TEST", 4)
    lines = [
        {"text": f"{year}年に東京", "entities": [{"name": f"{year}年", "span": [0, 5], "type": "DATE"}]}
        for year in range(2000, 2004)
    ]
    lines += [{"text": f"京都の人{n}", "entities": []} for n in range(3)]
    with lzma.open(tmp_path / "data.jsonl.xz", "wt", encoding="utf8") as file_:
        file_.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    dev = {"dev": [Record("東京へ", (CharSpan(0, 2, "地名"),))]}
    monkeypatch.setattr(new_label, "read_stockmark", lambda path: None)
    monkeypatch.setattr(new_label, "split_records", lambda records: dev)
    arguments = ["--data", str(tmp_path / "data.jsonl.xz"), "--stockmark", "ner.json", "-n", "2", "--passes", "1"]
    new_label.main(["-p", toy.partition("=")[2], *arguments])
    printed = capsys.readouterr().out
    assert "日付: 2 in 4 others; 1 sentences of dev" in printed
    assert table_rows(printed)[1][0] == "2" and table_rows(printed)[1][-2:] == ["1.000", "1.000"]


def test_random_weights_are_a_whole_luke(tiny):
    from transformers import LukeForTokenClassification

    _, report = LukeForTokenClassification.from_pretrained(tiny, output_loading_info=True)
    assert not any(report.values()), report
    assert len(json.loads((tiny / "entity_vocab.json").read_text(encoding="utf8"))) == TINY.n_entities


def test_random_weights_are_read_as_published_ones_are(tiny):
    checkpoint = hf_checkpoint.open_checkpoint(str(tiny))
    assert not checkpoint.config.keys() & {*hf_checkpoint.OWN_KEYS}
    assert (checkpoint.window, checkpoint.line_break_id) == (hf_checkpoint.USUAL_WINDOW, None)


def test_unused_pieces_change_no_subwords(tiny):
    texts = ["山田花子は東京都で日立製作所の社長に会った。", "ﾄﾞｰﾑと㈱と😀", "unused16050"]
    embedded = hf_tokenizer.open_encoder(hf_checkpoint.open_checkpoint("ja_luke_ner_sm"))
    padded = hf_tokenizer.open_encoder(hf_checkpoint.open_checkpoint(str(tiny)))
    assert padded.processor.get_piece_size() == TINY.n_pieces > embedded.processor.get_piece_size()
    for text in texts:
        assert padded.encode(text).ids.tolist() == embedded.encode(text).ids.tolist()


def test_the_converted_tokenizer_gives_the_same_subwords(tiny, tmp_path):
    from transformers import AutoTokenizer

    fast = AutoTokenizer.from_pretrained(speed_checkpoints.write_with_fast_tokenizer(tmp_path / "fast", tiny))
    own = hf_tokenizer.open_encoder(hf_checkpoint.open_checkpoint(str(tiny)))
    for text in ("大阪と京都は日本の都市である。", "国会はABC DEF 123 を可決した", "unused16050"):
        assert fast(text)["input_ids"] == [0, *own.encode(text).ids.tolist(), 2]


def test_long_documents_and_a_stream_of_new_names():
    sentences = speed_texts.read_sentences(None, n_generated=50)
    documents = speed_texts.make_documents(sentences, 40)
    assert documents == speed_texts.make_documents(sentences, 40)
    assert min(map(len, documents)) >= 2_000 and max(map(len, documents)) <= 20_000
    names = [text.partition("氏")[0] for text in speed_texts.stream_of_texts(sentences, 3000)]
    assert len(set(names)) == len(names) == 3000


@pytest.mark.parametrize("text", ["短い文。", "長い文が続く。" * 300, "a" * 2500, ""])
def test_pieces_are_short_and_lose_nothing(text):
    pieces = speed_texts.cut_long([text], max_chars=500)
    assert "".join(pieces) == text and max(map(len, pieces), default=0) <= 500
    assert len(pieces) == 1 or len(text) > 500


@pytest.mark.parametrize(
    "speeds, repeats, seconds, expected",
    [
        ({"a": 10}, 1, 2.0, 2),  # two texts of ten characters in two seconds
        ({"a": 10, "b": 10}, 1, 2.0, 1),  # each reads them
        ({"a": 10}, 2, 2.0, 1),  # twice
        ({"a": 10}, 1, 100.0, 5),  # there are no more
        ({"a": 10}, 1, 0.0, 1),  # the least
        ({}, 1, 100.0, 1),
    ],
)
def test_as_many_texts_as_there_is_time_for(speeds, repeats, seconds, expected):
    assert speed_measure.how_many(["あ" * 10] * 5, speeds, repeats, seconds, least=1) == expected


def test_time_is_left_for_what_comes_later(monkeypatch):
    monkeypatch.setattr(speed_measure.time, "monotonic", lambda: 100.0)
    later = {"n_measured": 2, "n_load_only": 1, "loads": 2, "stream_seconds": 100}
    # 1000 seconds less two times loading the other two models, 30 for each that reads, and 100
    assert speed_measure.Budget(deadline=1100.0, **later).for_reading() == (1000 - 2 * 45 * 2 - 2 * 30 - 100) / 2
    assert speed_measure.Budget(deadline=200.0, **later).for_reading() == 0


def test_repeats_go_round_and_no_rival_is_always_first():
    assert speed_measure.rounds(["a", "b"], 3) == [(0, "a"), (0, "b"), (1, "b"), (1, "a"), (2, "a"), (2, "b")]


@pytest.fixture
def loaded(make_nlp):
    nlp = make_nlp("random_luke")
    nlp.get_pipe("luke_ner").load()
    return nlp


def test_operations_are_those_that_pytorch_counts(loaded):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    texts = ["山田花子は東京都で日立製作所の社長に会った。", "大阪へ。"]
    counted = speed_ours.flops_of_texts(loaded, texts)
    batches = speed_ours.sorted_batches(loaded, texts)
    # PyTorch counts no attention kernel of the CPU, only its parts.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        speed_ours.run_batches(loaded, batches)
    assert counted["flops"] == counter.get_total_flops()
    assert counted["subwords"] == sum(len(batch.ids) for batch in batches)


def test_clocks_around_stages_are_taken_off_again(loaded):
    nlp, tokenizer = loaded, loaded.tokenizer
    seconds = speed_ours.stage_seconds(nlp, ["東京へ行った。", "大阪"])
    assert list(seconds) == ["Sudachi and Doc", "subwords", "model", "decoding", "alignment and annotation", "rest"]
    assert all(value > 0 for value in seconds.values())
    assert nlp.tokenizer is tokenizer
    shim = speed_ours.get_shim(nlp)
    assert not {"infer", "_decode", "_score", "set_annotations"} & {*vars(shim), *vars(nlp.get_pipe("luke_ner"))}


def test_own_network_computes_no_padding(loaded):
    padding = speed_ours.padding_of_batches(loaded, ["東京", "山田花子は東京都で会った。"])
    assert padding["subwords"] == padding["positions"] < padding["padded"]


def test_a_runtime_that_is_not_installed_is_passed_over(tmp_path, capsys, monkeypatch):
    checkpoint = toys.write_luke(tmp_path / "luke", max_length=128)
    makers = {name: runtimes.MAKERS[name] for name in ("PyTorch bfloat16", "PyTorch float32")}
    monkeypatch.setattr(runtimes, "MAKERS", {**makers, "another": None})
    monkeypatch.setattr(runtimes, "NEEDS", {"another": ("no_such_module",)})
    monkeypatch.setattr(sys, "argv", ["runtimes", "--checkpoint", str(checkpoint), "--windows", "2",
                                      "--length", "8", "--repeats", "1", "--threads", "1"])  # fmt: skip
    runtimes.main()
    printed = capsys.readouterr().out
    assert "another: no_such_module is not installed, passed over" in printed
    assert printed.count("times the first") == 2


def test_speed_table():
    run = lambda seconds: {"seconds": seconds, "entities": 3}
    runs = {"luke_ner": [run(1.0), run(2.0)], "plain loop": [run(2.0), run(8.0)], "spacy-wrap": []}
    model = {
        "counts": {"sentences": 10, "documents": 2}, "characters": {"sentences": 600, "documents": 9000},
        "runs": {"sentences": runs, "documents": runs}, "latencies": {"luke_ner": [5.0, 5.0], "plain loop": []},
    }  # fmt: skip
    rows = {row[0]: row[1:] for row in table_rows(speed_report.speed_table(model))}
    assert rows["luke_ner"] == ["7.50 (5.00–10.0)", "450 (300–600)", "", "6,750 (4,500–9,000)", "", "5.0", "5.0", "3"]
    assert rows["plain loop"][2] == "3.00 (2.00–4.00)" and rows["plain loop"][-3:] == ["–", "–", "3"]
    assert set(rows["spacy-wrap"]) == {"–"}


@pytest.mark.slow
def test_a_quick_run(tmp_path, capsys):
    toy = toys.write_luke(tmp_path / "toy", lexicon=toys.LEXICON, max_length=512)
    argv = ["--quick", "--models", f"toy={toy}", "--data", "none.spacy", "--minutes", "0", "--threads", "1"]
    argv += ["--rivals", "luke_ner", "plain loop", "bare forward", "--sentences", "12", "--stream", "20"]
    argv += ["--work", str(tmp_path / "work"), "--output", str(tmp_path / "speed")]
    speed.main(argv)
    report = capsys.readouterr().out
    assert report.rstrip() == (tmp_path / "speed" / "speed.md").read_text(encoding="utf8").rstrip()
    results = json.loads((tmp_path / "speed" / "speed.json").read_text(encoding="utf8"))
    model = results["models"]["toy"]
    assert model["failed"] == {}
    assert model["counts"] == {"sentences": 8, "documents": 1}
    assert {title: len(runs) for title, runs in model["runs"]["sentences"].items()} == {
        "luke_ner": 1, "plain loop": 1, "bare forward": 1,
    }  # fmt: skip
    assert model["extras"]["sentences"]["padding"]["subwords"] == model["extras"]["sentences"]["flops"]["subwords"]
    assert [n for n, _ in results["stream"]["without"]] == list(range(2, 21, 2))
    assert (tmp_path / "speed" / "speed.svg").exists()


@pytest.mark.slow
def test_who_cannot_run_is_named(tmp_path, checkpoints):
    """One whose checkpoint is not there, and one whose process ends at once."""
    texts = tmp_path / "texts.json"
    texts.write_text('{"sentences": ["東京へ行った。"], "documents": []}', encoding="utf8")
    paths = {"checkpoint": str(tmp_path / "nothing"), "fast": "", "spacy_ner": None}
    with speed_process.Workers(tmp_path, texts, n_threads=1) as workers:
        workers.start({"luke_ner": sys.executable, "spacy-wrap": "false"}, paths, together=True)
        assert workers.titles == ["luke_ner"]
        assert workers.ask("luke_ner", "load") is None and workers.ask("luke_ner", "run", work="sentences", n=1) is None
    assert workers.failed["luke_ner"].startswith("OSError: there is no directory ")
    assert workers.failed["spacy-wrap"] == "its process ended with 1: it said nothing"


def test_texts_of_many_sentences_and_lists(toy, tmp_path, capsys, monkeypatch):
    """The toys know 東京 and 日立 in any text, a line each too."""
    record = Record("東京の日立", (CharSpan(0, 2, "地名"), CharSpan(3, 5, "法人名")))
    monkeypatch.setattr(documents, "read_stockmark", lambda path, md5: [record] * 20)
    monkeypatch.setattr(documents, "split_records", lambda records: {"dev": records})
    documents.main(["-p", toy, "--data", str(tmp_path)])
    output = capsys.readouterr().out
    rows = {row[0]: row[1:] for row in table_rows(output)}
    assert rows["\\n"] == rows["nothing"] == ["1.000"] * 5
    assert rows["all"] == ["1.000"] * 6 + ["2"]
    assert "Wrapped names found: 0 of 0." in output


def test_a_joined_text_keeps_its_spans():
    records = [Record("東京へ", (CharSpan(0, 2, "地名"),)), Record("大阪", (CharSpan(0, 2, "地名"),))]
    text, spans = documents.join(records, "\n")
    assert [(text[start:end], label) for start, end, label, _ in spans] == [("東京", "地名"), ("大阪", "地名")]
