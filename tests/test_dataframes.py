"""Functions for Spark, pandas and datasets: small, stable, and each process loads the pipeline once."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import spacy_luke_ja
from spacy_luke_ja import ENTITIES_TYPE, dataframes, entities_udf, map_frames, map_rows

TEXTS = ["山田花子は東京都へ", None, "", "国会と大阪", "カタカナ"]
FOUND = [
    [("山田花子", "人名", 0, 4), ("東京都", "地名", 5, 8)],
    None,
    [],
    [("国会", "政治的組織名", 0, 2), ("大阪", "地名", 3, 5)],
    [],
]


@pytest.fixture
def pipeline(make_nlp, tmp_path):
    make_nlp().to_disk(tmp_path / "pipeline")
    return tmp_path / "pipeline"


def brief(found):
    return [
        None if own is None else [(ent["text"], ent["label"], ent["start"], ent["end"]) for ent in own] for own in found
    ]


def test_rows(pipeline):
    out = map_rows(pipeline, text_column="文")({"文": TEXTS, "id": range(5)})
    assert list(out) == ["entities"] and brief(out["entities"]) == FOUND
    assert all(0.0 < ent["score"] <= 1.0 for own in out["entities"] for ent in own or [])


def test_a_pipeline_without_scores(tmp_path):
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "地名", "pattern": "東京"}])
    nlp.to_disk(tmp_path / "ruler")
    (own,) = map_rows(tmp_path / "ruler")({"text": ["東京へ"]})["entities"]
    assert own == [{"start": 0, "end": 2, "label": "地名", "text": "東京", "score": None}]


@pytest.mark.parametrize(
    "label_map, labels",
    [("presidio", ["PERSON", "LOCATION"]), ({"人名": "", "地名": "LOC"}, ["LOC"]), (None, ["人名", "地名"])],
)
def test_label_maps(pipeline, label_map, labels):
    (own,) = map_rows(pipeline, label_map=label_map)({"text": TEXTS[:1]})["entities"]
    assert [ent["label"] for ent in own] == labels


def test_frames(pipeline):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": [7, 8, 9, 10, 11], "text": TEXTS}, index=list("abcde"))
    parts = [frame[:2], frame[2:2], frame[2:]]
    out = list(map_frames(pipeline)(iter(parts)))
    assert [len(part) for part in out] == [2, 0, 3]
    joined = pandas.concat(out)
    assert list(joined.columns) == ["id", "text", "entities"] and list(joined.index) == list("abcde")
    assert brief(joined["entities"]) == FOUND and list(joined["id"]) == [7, 8, 9, 10, 11]
    assert "entities" not in frame.columns
    missing = pandas.Series([float("nan"), pandas.NA, None, "東京"], dtype="object")
    (out,) = map_frames(pipeline)([pandas.DataFrame({"text": missing})])
    assert brief(out["entities"]) == [None, None, None, [("東京", "地名", 0, 2)]]


@pytest.mark.parametrize(
    "settings, rows, said",
    [
        ({"text_column": "文"}, {"text": ["東京"]}, r"text_column must be one of the table's columns \(text\), got 文"),
        ({}, {"text": ["東京"], "entities": [1]}, "entities_column must be a new column beside text, entities"),
        ({}, {"text": ["東京", 5]}, "the column text must hold strings, got 5 in its row 1"),
        ({}, {"text": np.array([5.0, 6.0])}, "the column text must hold strings, got .*5.0.* in its row 0"),
        ({}, {"text": [np.array([1, 2])]}, "the column text must hold strings, got array.* in its row 0"),
        ({}, {"text": [b"abc"]}, "the column text must hold strings, got b'abc' in its row 0"),
    ],
)
def test_tables_that_do_not_fit(pipeline, settings, rows, said):
    with pytest.raises(ValueError, match=said):
        map_rows(pipeline, **settings)(rows)


def test_settings_are_checked_at_once(pipeline):
    with pytest.raises(ValueError, match="pipeline must be a name or a directory.*got a Japanese"):
        map_rows(spacy_luke_ja.blank())
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        map_rows(pipeline, batch_size=0)
    with pytest.raises(ValueError, match="label_map must be one of .*, got iob"):
        map_frames(pipeline, label_map="iob")


def test_a_process_loads_the_pipeline_once(pipeline, monkeypatch):
    from spacy_luke_ja.evaluation import pipelines

    loaded = []
    load = pipelines.load_pipeline
    monkeypatch.setattr(pipelines, "load_pipeline", lambda name: loaded.append(name) or load(name))
    monkeypatch.setattr(dataframes, "_loaded", {})
    function = map_rows(pipeline)
    for copy in (function, pickle.loads(pickle.dumps(function)), map_rows(pipeline, text_column="t")):
        copy({"text": ["東京"], "t": ["東京"]})
    assert loaded == [str(pipeline)]


def test_what_is_pickled_is_small_and_stays_the_same(pipeline):
    function = map_rows(pipeline)
    before = pickle.dumps(function)
    function({"text": [f"新しい言葉{chr(i)}と山田" for i in range(0x4E00, 0x4E80)]})  # the vocabulary grows
    assert pickle.dumps(function) == before == pickle.dumps(map_rows(str(pipeline)))
    assert len(before) < 1000
    assert pickle.dumps(map_rows(pipeline, label_map="conll")) != before


def test_another_pipeline_at_the_same_place_is_another_function(pipeline, make_nlp):
    before = map_rows(pipeline)
    assert brief(before({"text": ["山田"]})["entities"]) == [[("山田", "人名", 0, 2)]]
    make_nlp(label_map={"人名": "PERSON"}).to_disk(pipeline)
    after = map_rows(pipeline)
    assert after != before and brief(after({"text": ["山田"]})["entities"]) == [[("山田", "PERSON", 0, 2)]]


def test_a_relative_directory_is_found_from_elsewhere(pipeline, tmp_path, monkeypatch):
    monkeypatch.chdir(pipeline.parent)
    function = map_rows("pipeline")
    monkeypatch.chdir("/")
    assert function == map_rows(pipeline)
    monkeypatch.setattr(dataframes, "_loaded", {})
    assert brief(function({"text": ["東京"]})["entities"]) == [[("東京", "地名", 0, 2)]]


def test_an_embedded_model_by_name():
    (own,) = map_rows("ja_luke_ner_sm")({"text": ["夏目漱石は東京帝国大学で教えた。"]})["entities"]
    assert [ent["text"] for ent in own] == ["夏目漱石", "東京帝国大学"]


def test_the_module_imports_nothing_heavy():
    code = "import sys, spacy_luke_ja.dataframes; print({'spacy', 'torch', 'pandas', 'pyspark'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_datasets_finds_its_cache_again(pipeline, tmp_path):
    datasets = pytest.importorskip("datasets", reason="pip install datasets")
    datasets.disable_progress_bars()
    table = datasets.Dataset.from_dict({"id": list(range(5)), "文": TEXTS})
    table.save_to_disk(tmp_path / "table")
    table = datasets.load_from_disk(tmp_path / "table")
    function = map_rows(pipeline, text_column="文")
    first = table.map(function, batched=True, batch_size=2)
    assert brief(first["entities"]) == FOUND and first["id"] == table["id"]
    fingerprint = datasets.fingerprint.Hasher.hash(function)
    function({"文": [f"別の言葉{chr(i)}" for i in range(0x5000, 0x5080)]})
    assert datasets.fingerprint.Hasher.hash(function) == fingerprint
    again = table.map(map_rows(pipeline, text_column="文"), batched=True, batch_size=2)
    assert again._fingerprint == first._fingerprint and again.cache_files == first.cache_files != []
    other = table.map(map_rows(pipeline, text_column="文", label_map="conll"), batched=True, batch_size=2)
    assert other._fingerprint != first._fingerprint


@pytest.fixture(scope="module")
def spark():
    sql = pytest.importorskip("pyspark.sql", reason="pip install pyspark; it needs Java")
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    os.environ.update(PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "3",
        "spark.sql.shuffle.partitions": "2",
    }
    builder = sql.SparkSession.builder.master("local[2]")
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:  # no Java, or one that is too old
        pytest.skip(f"Spark does not start here: {error!r:.200}")
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def sockets(no_network, monkeypatch):
    """Spark's processes talk over the machine's own addresses."""
    monkeypatch.undo()


@pytest.mark.slow
def test_spark(pipeline, sockets, spark):
    from pyspark.sql import functions

    rows = [(i, TEXTS[i % len(TEXTS)]) for i in range(20)]
    table = spark.createDataFrame(rows, "id int, text string").repartition(2)
    schema = table.withColumn("entities", functions.lit(None).cast(ENTITIES_TYPE)).schema
    mapped = table.mapInPandas(map_frames(pipeline), schema).orderBy("id").collect()
    assert [row.id for row in mapped] == list(range(20))
    expected = [FOUND[i % len(FOUND)] for i in range(20)]
    assert brief([row.entities for row in mapped]) == expected
    by_udf = table.withColumn("entities", entities_udf(pipeline, label_map="presidio")("text")).orderBy("id").collect()
    assert [ent["label"] for ent in by_udf[0].entities] == ["PERSON", "LOCATION"]
    assert [row.entities is None for row in by_udf] == [own is None for own in expected]
