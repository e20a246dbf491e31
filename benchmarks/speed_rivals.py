"""The rivals of the speed benchmark: a checkpoint in, something that reads texts out.

Each runs in a process of its own (speed_worker.py), which imports what `imports` names, loads, and then reads.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from speed_texts import cut_long

# Who cannot read long documents gets them in pieces: with at most 512 subwords, it would cut off the rest in silence.
MAX_PIECE_CHARS = 500
LIMIT = "bare forward"
BATCHES = "HF pipeline in batches"
OURS = "luke_ner"


@dataclass(frozen=True)
class Paths:
    """checkpoint: in LUKE's layout. fast: the same with a fast tokenizer. spacy_ner: a trained pipeline, or none."""

    checkpoint: Path
    fast: Path
    spacy_ner: Optional[Path] = None


class Loaded(NamedTuple):
    """A rival that is ready.

    run: what prepare made of texts, and a batch size that only BATCHES heeds → how many entities were found.
    one: a single text → how many entities were found; None where that says nothing.
    prepare: not timed.
    extras: name → what else it can tell of texts.
    note: what only shows when it is loaded.
    """

    run: Callable[[Any, int], int]
    one: Optional[Callable[[str], int]]
    prepare: Callable[[List[str]], Any] = list
    extras: Mapping[str, Callable[..., Any]] = {}
    note: str = ""


@dataclass(frozen=True)
class Rival:
    """
    imports: modules, or "module:name", that count as import and not as load.
    note: what a reader must know.
    only: the one model it is there for.
    is_peer: whether it runs in the peers' environment, where there is one (--peers-python).
    is_own_load: False where another loads the same.
    """

    load: Callable[[Paths], Loaded]
    imports: Tuple[str, ...]
    note: str = ""
    only: Optional[str] = None
    is_peer: bool = False
    is_own_load: bool = True
    has_batch_size: bool = False


def of_pipeline(nlp: Any, **extras: Callable[..., Any]) -> Loaded:
    """A spaCy pipeline as a rival: nlp.pipe for many texts, nlp for one."""
    return Loaded(
        run=lambda texts, batch_size: sum(len(doc.ents) for doc in nlp.pipe(texts)),
        one=lambda text: len(nlp(text).ents),
        extras=extras,
    )


def luke_ner(paths: Paths, *, precision: str = "auto", runtime: str = "HF") -> Loaded:
    import speed_ours

    nlp = speed_ours.load_pipeline(paths.checkpoint, precision=precision, runtime=runtime)
    component: Any = nlp.get_pipe("luke_ner")
    return of_pipeline(
        nlp,
        precision=lambda texts: component.precision,
        stages=lambda texts: speed_ours.stage_seconds(nlp, texts),
        padding=lambda texts: speed_ours.padding_of_batches(nlp, texts),
        stream=lambda texts, n_stream, zone: speed_ours.memory_of_stream(nlp, texts, n_stream, in_zones=zone),
    )


def bare_forward(paths: Paths) -> Loaded:
    """The network of luke_ner alone, on windows that are cut, sorted and joined before the clock starts."""
    import speed_ours

    nlp = speed_ours.load_pipeline(paths.checkpoint)
    return Loaded(
        run=lambda batches, batch_size: speed_ours.run_batches(nlp, batches),
        one=None,
        prepare=lambda texts: speed_ours.sorted_batches(nlp, texts),
        extras={
            "flops": lambda texts: speed_ours.flops_of_texts(nlp, texts),
            "products": lambda texts, seconds: speed_ours.product_rates(nlp, seconds=seconds),
        },
    )


def hf_pipeline(paths: Paths, *, dtype: str = "float32") -> Loaded:
    import torch
    from transformers import pipeline

    tokenizer, note = open_hf_tokenizer(paths)
    pipe = pipeline(
        "token-classification", model=str(paths.checkpoint), tokenizer=tokenizer, aggregation_strategy="simple",
        device="cpu", **dtype_setting(getattr(torch, dtype)),
    )  # fmt: skip

    def run(texts: Sequence[str], batch_size: int) -> int:
        return sum(len(found) for found in pipe(list(texts), batch_size=batch_size))

    def padding(texts: Sequence[str], batch_size: int) -> Dict[str, int]:
        lengths = [len(tokenizer(text, truncation=True)["input_ids"]) for text in in_pieces(texts)]
        batches = [lengths[i : i + batch_size] for i in range(0, len(lengths), batch_size)]
        return {"subwords": sum(lengths), "positions": sum(len(batch) * max(batch) for batch in batches)}

    return Loaded(run=run, one=lambda text: len(pipe(text)), prepare=in_pieces, extras={"padding": padding}, note=note)


def plain_loop(paths: Paths) -> Loaded:
    """As the models' cards show it: one text after the other, the most likely tag of each subword."""
    import torch
    from transformers import AutoModelForTokenClassification

    tokenizer, note = open_hf_tokenizer(paths)
    model = AutoModelForTokenClassification.from_pretrained(paths.checkpoint, **dtype_setting(torch.float32)).eval()
    max_length = min(512, tokenizer.model_max_length)
    begins = torch.tensor([i for i, tag in model.config.id2label.items() if tag.startswith("B-")])

    def one(text: str) -> int:
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=max_length)
        with torch.inference_mode():
            tags = model(**inputs).logits[0].argmax(-1)
        return int(torch.isin(tags, begins).sum())

    return Loaded(run=lambda texts, batch_size: sum(map(one, texts)), one=one, prepare=in_pieces, note=note)


def open_hf_tokenizer(paths: Paths) -> Tuple[Any, str]:
    """LUKE's own tokenizer, or the converted one where this transformers cannot open it. RETURNS: it, and a note."""
    import transformers

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(paths.checkpoint)
        is_wrong = int(transformers.__version__.split(".")[0]) >= 5 and "Luke" in type(tokenizer).__name__
        return tokenizer, f"wrong ids by transformers {transformers.__version__}" if is_wrong else ""
    except (ValueError, ImportError, TypeError) as error:
        note = f"a converted fast tokenizer, as {type(error).__name__} came from LUKE's own"
        return transformers.AutoTokenizer.from_pretrained(paths.fast), note


def spacy_huggingface_pipelines(paths: Paths) -> Loaded:
    import spacy

    nlp = spacy.blank("ja")
    nlp.max_length = 10**9
    config = {"model": str(paths.fast), "aggregation_strategy": "simple", "kwargs": dtype_setting("float32")}
    nlp.add_pipe("hf_token_pipe", config=config)
    return of_pipeline(nlp)


def spacy_wrap(paths: Paths) -> Loaded:
    import spacy

    nlp = spacy.blank("ja")
    nlp.max_length = 10**9
    config = {"model": {"name": str(paths.checkpoint)}, "predictions_to": ["ents"]}
    nlp.add_pipe("token_classification_transformer", config=config)
    return of_pipeline(nlp)


def spacy_ner(paths: Paths, *, own_tokenizer: bool = False) -> Loaded:
    """spaCy's small CNN, trained where there is such a pipeline, else with random weights."""
    import spacy

    import spacy_luke_ja
    from spacy_luke_ja.stockmark_labels import LABELS

    if paths.spacy_ner is not None:
        nlp = spacy.load(paths.spacy_ner)
    else:
        nlp = spacy.blank("ja")
        ner: Any = nlp.add_pipe("ner")
        for label in LABELS:
            ner.add_label(label)
        nlp.initialize()
    source = spacy_luke_ja.blank(vocab=nlp.vocab) if own_tokenizer else spacy.blank("ja", vocab=nlp.vocab)
    nlp.tokenizer = source.tokenizer
    nlp.max_length = 10**9
    return of_pipeline(nlp)._replace(note="" if paths.spacy_ner else "random weights")


def in_pieces(texts: Sequence[str]) -> List[str]:
    return cut_long(texts, max_chars=MAX_PIECE_CHARS)


def dtype_setting(dtype: Any) -> Dict[str, Any]:
    """The keyword that transformers' from_pretrained and pipeline have for it."""
    import transformers

    return {"dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype": dtype}


OUR_IMPORTS = ("torch", "spacy", "sudachipy", "sentencepiece", "safetensors.torch", "speed_ours")
HF_CLASSES = ("LukeForTokenClassification", "MLukeTokenizer")
HF_IMPORTS = ("torch", "transformers:pipeline", *(f"transformers:{name}" for name in HF_CLASSES))
NER_IMPORTS = ("torch", "spacy", "sudachipy", "spacy_luke_ja.tokenizer")
IN_PIECES = f"long documents in pieces of at most {MAX_PIECE_CHARS} characters, cut outside the clock"

# In the order of the tables; the first is what the others are compared with.
RIVALS: Dict[str, Rival] = {
    OURS: Rival(luke_ner, OUR_IMPORTS, "precision auto; its tokenizer remembers words, in a repeat all of them"),
    "luke_ner in float32": Rival(
        lambda paths: luke_ner(paths, precision="float32"), OUR_IMPORTS, "computes in what the rivals compute in"
    ),
    "luke_ner on OpenVINO": Rival(
        lambda paths: luke_ner(paths, runtime="OpenVINO"), (*OUR_IMPORTS, "openvino"), "precision auto"
    ),
    "luke_ner on OpenVINO in int8": Rival(
        lambda paths: luke_ner(paths, precision="int8", runtime="OpenVINO"), (*OUR_IMPORTS, "openvino"),
        "weights and what they are multiplied with in eight bits",
    ),
    "HF pipeline": Rival(hf_pipeline, HF_IMPORTS, f"aggregation simple, float32; {IN_PIECES}", is_peer=True),
    BATCHES: Rival(
        hf_pipeline, HF_IMPORTS, "the same with its best batch size", is_peer=True, is_own_load=False,
        has_batch_size=True,
    ),
    "HF pipeline in bfloat16 batches": Rival(
        lambda paths: hf_pipeline(paths, dtype="bfloat16"), HF_IMPORTS, "the same in bfloat16", is_peer=True,
        has_batch_size=True,
    ),
    "plain loop": Rival(
        plain_loop, HF_IMPORTS,
        f"LukeForTokenClassification, float32, one text at a time, tags only; {IN_PIECES}", is_peer=True,
    ),
    "spacy-huggingface-pipelines": Rival(
        spacy_huggingface_pipelines, (*HF_IMPORTS, "sudachipy", "spacy_huggingface_pipelines.token_classification"),
        "a converted fast tokenizer, as it cannot run LUKE's own; aggregation simple, float32", is_peer=True,
    ),
    "spacy-wrap": Rival(spacy_wrap, (*HF_IMPORTS, "sudachipy", "spacy_wrap"), "as it comes, float32", is_peer=True),
    "spaCy ner": Rival(spacy_ner, NER_IMPORTS, "small CNN, spaCy's own tokenizer", only="sm"),
    "spaCy ner with our tokenizer": Rival(
        lambda paths: spacy_ner(paths, own_tokenizer=True), NER_IMPORTS, "the same weights", only="sm",
        is_own_load=False,
    ),
    LIMIT: Rival(
        bare_forward, OUR_IMPORTS, "no rival: the network of luke_ner alone, all windows sorted", is_own_load=False
    ),
}  # fmt: skip
