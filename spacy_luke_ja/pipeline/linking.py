"""Docs with mentions in, the titles of Wikipedia that each stands for out: the component luke_linker."""

from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples

from ..linking_data import get_gold_links
from ..models.architectures import fill_model
from ..models.entity_vocab import add_entities
from ..models.hf_checkpoint import ALIASES, Checkpoint
from ..models.linking import LINKING, add_aliases, find_likeliest, read_aliases, score_candidates
from ..models.mentions import MentionedDoc
from ..text.decoding import check_cost
from ..text.linking import NIL, AliasTable, LinkedMention, choose_title, rank_candidates
from .checkpoint_pipe import CheckpointPipe, check_same_text
from .factory import make_factory
from .linking_doc import annotate_links, register_extensions
from .linking_loss import LinkingLoss, linking_loss
from .mentions import mentions_in
from .settings import check_mentions_key, checked_number, one_of, setting, share, some_name, whole_number, yes_or_no

register_extensions()

Links = Tuple[Tuple[str, float], ...]
ALL, BY_ALIAS = "vocabulary", "aliases"
# In cfg: what the setting alias_table named when the table beside the weights was read.
ALIASES_FROM = "aliases_from"


def check_alias_table(value: Any) -> Optional[str]:
    check = some_name("alias_table", "the path of a file, or None for the checkpoint's own", optional=True)
    return check(str(value) if isinstance(value, Path) else value)


class LukeLinker(CheckpointPipe):
    """Which title of Wikipedia given mentions stand for, by the entity predictions of LUKE's pretraining.

    The title goes to ent.kb_id_, "NIL" where there is none; what else is likely to span._.luke_links, (title, score)
    each, of spans with the mention's characters.

    Settings, which can be assigned at any time:

    mentions_key: which group of doc.spans has the mentions; doc.ents when None.
    alias_table: a file that says which titles an alias may stand for, as count_aliases makes it. It is saved with the
        weights. That of the checkpoint, if it has one, when None.
    candidates: "aliases": where there is an alias table, a mention stands for one of the titles of its alias, else for
        any; "vocabulary": for any that the checkpoint knows, always.
    prior_weight: how much the logarithms of candidates' shares in the alias table's counts are added to their logits.
    threshold: the least score of a title, a probability among the candidates; a mention without one is NIL.
    n_best: how many titles span._.luke_links has.
    overwrite: whether a kb_id_ that a mention has already is replaced.
    """

    factory = "luke_linker"
    task = LINKING
    default_checkpoint = "ja_luke_sm"

    mentions_key: Optional[str] = setting(check_mentions_key)
    alias_table: Optional[str] = setting(check_alias_table)
    candidates: str = setting(one_of("candidates", (BY_ALIAS, ALL)), default=BY_ALIAS)
    prior_weight: float = setting(checked_number(partial(check_cost, setting="prior_weight")), default=0.0)
    threshold: float = setting(share("threshold"), default=0.0)
    n_best: int = setting(whole_number("n_best", least=1), default=10)
    overwrite: bool = setting(yes_or_no("overwrite"), default=True)

    # Alias table

    def _check_changed(self, changes: Mapping[str, Any]) -> None:
        super()._check_changed(changes)
        if "alias_table" in changes and self._is_loaded:
            checkpoint = self._with_aliases(self._shim.checkpoint.with_file(ALIASES, None))
            self.model.attrs["aliases"] = read_aliases(checkpoint)
            self._shim.set_file(ALIASES, checkpoint.files.get(ALIASES))

    def _with_aliases(self, checkpoint: Checkpoint) -> Checkpoint:
        """The same with the table that the settings name."""
        self.cfg[ALIASES_FROM] = self.alias_table
        return checkpoint if self.alias_table is None else add_aliases(checkpoint, Path(self.alias_table))

    def _fill(self, checkpoint: Checkpoint) -> None:
        super()._fill(self._with_aliases(LINKING.prepare(checkpoint)))

    def _fill_saved(self, checkpoint: Checkpoint) -> None:
        """The table was saved too, and its file need not be there any more."""
        is_same = self.alias_table == self.cfg.get(ALIASES_FROM)
        fill_model(self.model, self.task, checkpoint if is_same else self._with_aliases(checkpoint))

    @property
    def _aliases(self) -> Optional[AliasTable]:
        return self.model.attrs["aliases"] if self.candidates == BY_ALIAS else None

    def _titles_of(self, alias: str, table: AliasTable) -> Dict[str, int]:
        """RETURNS: title → count, of those that the model knows."""
        rows = self.model.attrs["titles"].rows
        return {title: count for title, count in table.titles_of(alias).items() if title in rows}

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[List[LinkedMention]]:
        """RETURNS: per Doc, its mentions with their titles, without touching it."""
        self.load()
        inputs = [ask(doc, mentions_in(doc, self.mentions_key)) for doc in docs]
        outputs: List[np.ndarray] = self.model.predict(inputs)
        if any(np.isnan(own).any() for own in outputs):
            raise ValueError(self._not_finite())
        aliases = [own.doc.text[start:end] for own in inputs for ((start, end),) in own.groups]
        links = iter(self._find_links(aliases, [vector for own in outputs for vector in own]))
        return [
            [
                LinkedMention(*place, choose_title(links_of, self.threshold), links_of)
                for (place,), links_of in zip(own.groups, links)
            ]
            for own in inputs
        ]

    def _find_links(self, aliases: Sequence[str], vectors: Sequence[np.ndarray]) -> List[Links]:
        """aliases, vectors: of mentions. RETURNS: (title, score) of each one's likeliest."""
        if not vectors:
            return []
        stacked = np.stack(vectors)
        is_read = np.isfinite(stacked[:, 0])
        known = np.where(is_read[:, None], stacked, np.float32(0))
        table = self._aliases
        if table is None:
            titles = self.model.attrs["titles"]
            likeliest = find_likeliest(self._shim.module, known, titles, self.n_best)
            found = [tuple((titles[i], float(p)) for i, p in zip(rows, scores)) for rows, scores in likeliest]
        else:
            found = [self._rank(vector, self._titles_of(alias, table)) for alias, vector in zip(aliases, known)]
        return [links if read else () for links, read in zip(found, is_read)]

    def _rank(self, vector: np.ndarray, counts: Mapping[str, int]) -> Links:
        """counts: of the candidates."""
        if not counts:
            return ()
        rows, names = self.model.attrs["titles"].rows, list(counts)
        logits = score_candidates(self._shim.module, vector, [rows[name] for name in names])
        ranked = rank_candidates(logits, list(counts.values()), prior_weight=self.prior_weight, n=self.n_best)
        return tuple((names[place], float(score)) for place, score in zip(*ranked))

    def set_annotations(self, docs: Iterable[Doc], scores: List[List[LinkedMention]]) -> None:
        key, overwrite = self.mentions_key, self.overwrite
        for doc, mentions in zip(docs, scores):
            annotate_links(doc, mentions, component=self.name, mentions_key=key, overwrite=overwrite)

    # Training

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        titles: Optional[Sequence[str]] = None,
    ) -> None:
        """Load the checkpoint. Titles that it does not know get embeddings, and an encoder the layers that compare with
        them, to be trained.

        get_examples: gives examples whose references have links, see make_linking_example.
        titles: what mentions may stand for; the titles of all examples when None.
        """
        validate_get_examples(get_examples, "LukeLinker.initialize")
        if titles is None:
            gold = (own.title for example in get_examples() for own in get_gold_links(example.reference))
            titles = sorted({*gold} - {NIL})
        self._start(self._open(), titles, lambda own: self._renew(own, titles))

    def _knows(self, checkpoint: Checkpoint, names: Sequence[str]) -> bool:
        return add_entities(checkpoint, names) is checkpoint

    def _renew(self, checkpoint: Checkpoint, titles: Sequence[str]) -> Checkpoint:
        grown = add_entities(checkpoint, titles).with_new_classifier(checkpoint.tags, LINKING.head.task)
        return self._with_aliases(grown)

    def _inputs(self, examples: Sequence[Example]) -> List[MentionedDoc]:
        return [ask(example.predicted, [own[:2] for own in get_gold(example)]) for example in examples]

    def _summed_loss(
        self, examples: Iterable[Example], outputs: List[np.ndarray]
    ) -> Tuple[float, List[np.ndarray], int]:
        loss = self._loss(examples, outputs)
        return loss.summed, loss.gradients, loss.n_terms

    def _loss_to_learn(
        self, examples: Sequence[Example], outputs: List[np.ndarray]
    ) -> Tuple[float, List[np.ndarray], int]:
        loss = self._loss(examples, outputs)
        self._shim.module.add_gradient(loss.rows, loss.of_table, loss.of_bias)
        return loss.summed, loss.gradients, loss.n_terms

    def _loss(self, examples: Iterable[Example], outputs: List[np.ndarray]) -> LinkingLoss:
        titles, table = self.model.attrs["titles"], self._aliases
        gold = [(example.reference.text, get_gold(example)) for example in examples]
        right = [[titles.rows.get(own.title, -1) for own in mentions] for _, mentions in gold]
        candidates: Any = None
        if table is not None:
            candidates = [
                [[titles.rows[own] for own in self._titles_of(text[start:end], table)] for start, end, *_ in mentions]
                for text, mentions in gold
            ]
        return linking_loss(outputs, right, self._shim.module, named=titles.named, candidates=candidates)


make_luke_linker = make_factory(
    LukeLinker,
    functions={"scorer": {"@scorers": "spacy-luke-ja.linking_scorer.v1", "k": 10}},
    assigns=["doc.ents", "token.ent_kb_id", "span._.luke_links"],
    requires=[],
    default_score_weights={"linking_accuracy": 1.0, "linking_recall_at_k": 0.0},
)


def ask(doc: Doc, mentions: Sequence[Tuple[int, int]]) -> MentionedDoc:
    return MentionedDoc(doc, [(own,) for own in mentions])


def get_gold(example: Example) -> List[LinkedMention]:
    check_same_text(example)
    return get_gold_links(example.reference)
