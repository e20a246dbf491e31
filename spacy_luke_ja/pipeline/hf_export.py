"""A luke_ner in, a directory that transformers' pipeline("token-classification") reads rightly out."""

import json
from pathlib import Path
from typing import Any, List, Mapping, Tuple

from ..models.hf_checkpoint import CONFIG, FIRST_POSITION, is_embedded
from ..models.hf_loader import quiet_transformers
from ..models.int8 import SCALES
from ..models.tokenizer_export import NotExportable, export_tokenizer
from ..text.label_schemes import split_prefix
from ..training.outputs import EXPORT_MARK
from .ner_labels import TagLabels

# A transformers pipeline joins B-X and the I-X behind it; S- and U- begin an entity, too, and E- and L- go on with one.
BEGIN, INSIDE = "B-", "I-"
PREFIXES = {"B": BEGIN, "S": BEGIN, "U": BEGIN, "I": INSIDE, "E": INSIDE, "L": INSIDE, "": INSIDE}
PROBES = ("東京と大阪へ行った。", "ﾄﾞｰﾑ　ＡＢＣ１２３㈱か\u3099は\u309a", "  a\r\nb\u2028c  ", "😀～~㍿")
WRITTEN_SPECIALS = "<s>山田</s><mask><pad>[MASK][CLS][SEP][PAD]"


def export_hf(luke_ner: Any, path: Path, *, title: str, label_map: Mapping[str, str] = {}) -> None:
    """Write config.json, model.safetensors, tokenizer.json, tokenizer_config.json and README.md into a directory.

    luke_ner: a LukeNer, on any checkpoint.
    title: of the model card.
    label_map: of the component's labels; those that it does not have stay.
    Raises NotExportable, with the reason, for what transformers would read otherwise.
    """
    from safetensors.torch import save_file

    luke_ner.load()
    checkpoint, tensors = luke_ner._shim.checkpoint, luke_ner._shim.tensors()
    if luke_ner.label_subwords == "first":
        raise NotExportable(
            f"[{luke_ner.name}] label_subwords is first: its tags are for whole tokens of spaCy, which "
            "transformers does not have"
        )
    if FIRST_POSITION in checkpoint.config:
        raise NotExportable(f"the checkpoint {checkpoint.name} counts positions from 0, which its class does not")
    if any(name.endswith(SCALES) for name in tensors):
        raise NotExportable(
            f"[{luke_ner.name}] has weights of eight bits, which transformers cannot read; export the pipeline that it "
            "was made from"
        )
    n_special = len(luke_ner.subword_encoder.prefix_ids) + len(luke_ner.subword_encoder.suffix_ids)
    max_subwords = luke_ner.model.attrs["frame"].max_window + n_special
    files = export_tokenizer(checkpoint, luke_ner.subword_encoder, max_subwords=max_subwords)
    names = name_tags(luke_ner._tag_labels, label_map)
    config = {
        **checkpoint.config,
        "id2label": dict(enumerate(names)),
        "label2id": {name: i for i, name in reversed(list(enumerate(names)))},
        "dtype": "float32",  # however they are stored, and whichever version computes
        "torch_dtype": "float32",
    }
    for name, content in {CONFIG: json.dumps(config, ensure_ascii=False, indent=2), **files}.items():
        (path / name).write_text(content, encoding="utf8")
    (path / "README.md").write_text(make_card(luke_ner, title, max_subwords, label_map), encoding="utf8")
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    (path / "model.safetensors").chmod((path / CONFIG).stat().st_mode)
    check_export(luke_ner, path)


def name_tags(labels: TagLabels, label_map: Mapping[str, str] = {}) -> List[str]:
    """The Doc's labels with B- and I-, which are all that a transformers pipeline knows; O for what is left out."""
    scheme, names = labels.scheme, []
    for tag, label in zip(scheme.tags, scheme.labels):
        doc_label = labels.doc_label.get(label, "")
        doc_label = label_map.get(doc_label, doc_label)
        prefix = "" if tag == label else split_prefix(tag)[0]
        names.append(PREFIXES[prefix] + doc_label if doc_label else "O")
    return names


def check_export(luke_ner: Any, path: Path) -> None:
    """Raise NotExportable where the transformers that is installed reads other weights or subwords from a directory."""
    import transformers

    name = luke_ner._shim.checkpoint.name
    with quiet_transformers():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(path)
            _, report = transformers.AutoModelForTokenClassification.from_pretrained(path, output_loading_info=True)
        except Exception as error:  # of many kinds, by what transformers has no class for
            raise NotExportable(f"transformers cannot read what the checkpoint {name} becomes: {error}") from error
    wrong = {key: sorted(map(str, found)) for key, found in report.items() if found and key != "error_msgs"}
    if wrong:
        raise NotExportable(f"transformers reads other weights than those of the checkpoint {name}: {wrong}")
    encoder = luke_ner.subword_encoder
    for text in PROBES:
        expected = [*encoder.prefix_ids, *encoder.encode(text).ids.tolist(), *encoder.suffix_ids]
        found = tokenizer(text)["input_ids"]
        if found != expected:
            raise NotExportable(
                f"transformers cuts {text!r} into other subwords ({found}) than the checkpoint {name} was trained with "
                f"({expected})"
            )
    specials = {*tokenizer.all_special_ids} - {encoder.unk_id}
    if specials & {*tokenizer(WRITTEN_SPECIALS, add_special_tokens=False)["input_ids"]}:
        raise NotExportable(f"transformers takes some of the text {WRITTEN_SPECIALS!r} for special subwords")


# Of the embedded checkpoints, and what was trained from them.
LICENSE = "license: cc-by-sa-4.0\n"
CARD = """\
---
language: ja
{license}library_name: transformers
pipeline_tag: token-classification
tags: [japanese, ner, token-classification, spacy]
---

{mark}

# {title}

Named entities in Japanese texts: {labels}.

Exported by `spacy luke export-hf` of spacy_luke_ja, for programs that take models of transformers.

```python
from transformers import pipeline

ner = pipeline("token-classification", model="THIS_DIRECTORY", aggregation_strategy="simple")
ner("山田花子は東京へ行った。")
```

It works alike under transformers 4.45 to 5, without network or sentencepiece. Take `start` and `end`, which count
characters of your text; `word` is what the subwords say, in NFKC.

## Which to use

Where you have the choice, use spacy_luke_ja and the spaCy pipeline that this was exported from. The weights and
subwords are the same, and so are the logits. What this directory cannot hold:

{differences}
In rare texts subwords may be others than the model was trained with: letters with several combining marks, ヿ with a
voicing mark, and what is written like a special subword (`<s>`), which is text.
"""


def make_card(luke_ner: Any, title: str, max_subwords: int, label_map: Mapping[str, str]) -> str:
    settings = luke_ner.model.attrs
    cost = lambda name: getattr(luke_ner, name) if getattr(luke_ner, name) is not None else settings[name]
    held: List[Tuple[Any, str]] = [
        (True, "Tags are chosen one by one: an entity may begin with I-, or change its label inside."),
        (
            True,
            f"A text of more than {max_subwords} subwords is cut off, unless you give `stride`; spaCy reads all of it.",
        ),
        (
            luke_ner.score_temperature != 1.0,
            f"Scores are not divided by the temperature {luke_ner.score_temperature:g}, and so are too sure.",
        ),
        (cost("cut_cost"), f"Edges inside Sudachi's tokens cost nothing (`cut_cost` {cost('cut_cost'):g})."),
        (
            cost("line_break_cost"),
            f"Entities that go on in the next line cost nothing (`line_break_cost` {cost('line_break_cost'):g}).",
        ),
        (luke_ner.threshold, "No `threshold` is applied."),
        (
            luke_ner.model.attrs["settings"].window or "window" in luke_ner._shim.checkpoint.config,
            "A long text is read at once, not in short windows, in which the model does better.",
        ),
    ]
    return CARD.format(
        mark=EXPORT_MARK,
        title=title,
        license=LICENSE if is_embedded(luke_ner.model.attrs["settings"].name) else "",
        labels=" ".join(dict.fromkeys(label_map.get(label, label) for label in luke_ner.labels)),
        differences="".join(f"- {text}\n" for holds, text in held if holds),
    )
