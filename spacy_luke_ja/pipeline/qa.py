"""Docs and questions in, answers out: the component luke_qa."""

import warnings
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union, overload

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_get_examples

from ..models.hf_checkpoint import Checkpoint
from ..models.qa import QA, estimate_subwords, question_error
from ..models.types import AskedPair
from ..qa_data import (
    LABEL,
    AnsweredQuestion,
    check_question,
    check_questions,
    get_gold_answers,
    get_labelled_questions,
    label_questions,
)
from ..text.alignment import ALIGNMENT_MODES
from ..text.qa import AnswerLogits, FoundAnswer, find_answers
from ..user_data import text_length
from .checkpoint_pipe import CheckpointPipe, check_same_text
from .factory import make_factory
from .qa_doc import Answer, annotate_answers, make_answers, no_answer, register_extensions, split_at_edges
from .qa_loss import answer_loss
from .settings import SpansKey, one_of, setting, share, whole_number, yes_or_no

# Whose windows are in memory together: about so many subwords, or one pair. Each takes some 50 bytes.
SUBWORDS_AT_ONCE = 2**18

# The outputs of a new layer behind the encoder.
OUTPUTS = ("start", "end")

register_extensions()


class LukeQa(CheckpointPipe):
    """Answers to questions, as exact characters of a Doc's text, by a Hugging Face model.

    `ask` and `ask_many` ask at any time. In a pipeline, the questions of the setting and those in doc._.luke_questions
    are asked of each Doc; the answers go to doc._.luke_answers, and to doc.spans[spans_key], a LastingSpanGroup, with
    attrs["scores"] and attrs["questions"].

    Settings, which can be assigned at any time:

    questions: what to ask of each Doc in a pipeline, before what is in its doc._.luke_questions: a list, or a dict
        with a label for each question, {"社長": "社長は誰ですか"}, which the spans of its answers have.
    alignment_mode: how answers become token spans: "expand", "contract", "strict" as in Doc.char_span; "split"
        splits the Doc's tokens at the edges of answers, also when `ask` finds them.
    end_inclusive: whether the subword that the model marks as the end belongs to the answer, or is the first
        behind it. Train and use a checkpoint with the same.
    max_answer_length: in characters.
    top_n: how many of the likeliest starts and ends in each window are tried with one another.
    null_threshold: no answer is given when null_score is above it; with 1.0, the likeliest one is always given. At
        0.5, none is given where the model marks "no answer" rather than the likeliest one; `spacy luke evaluate-qa`
        finds the best for a pipeline.
    allow_overlap: whether n_best answers may share characters, as pieces of one another.
    spans_key: where in doc.spans the answers go, too; under the component's present name when None.
    """

    factory = "luke_qa"
    task = QA
    default_checkpoint = "ja_luke_qa_sm"

    questions: Union[Dict[str, str], List[str]] = setting(check_questions, default=[])
    alignment_mode: str = setting(one_of("alignment_mode", ALIGNMENT_MODES), default="expand")
    end_inclusive: bool = setting(yes_or_no("end_inclusive"), default=True)
    max_answer_length: int = setting(whole_number("max_answer_length", least=1), default=100)
    top_n: int = setting(whole_number("top_n", least=1), default=20)
    null_threshold: float = setting(share("null_threshold"), default=1.0)
    allow_overlap: bool = setting(yes_or_no("allow_overlap"), default=False)
    spans_key: Optional[str] = SpansKey()  # type: ignore[assignment]

    # Questions

    @overload
    def ask(self, doc: Union[Doc, Span], question: str) -> Answer: ...

    @overload
    def ask(self, doc: Union[Doc, Span], question: str, *, n_best: int) -> List[Answer]: ...

    def ask(self, doc: Union[Doc, Span], question: str, *, n_best: Optional[int] = None) -> Union[Answer, List[Answer]]:
        """Find the answer to a question in a Doc, or in a Span of one; its characters are the Doc's in either case.

        n_best: return so many, or as many as there are.
        RETURNS: the answer, which is not true when there is none; with n_best, a list, the likeliest first.
        Raises a ValueError when the question is empty or too long.
        """
        if n_best is None:
            return self.ask_many([(doc, question)])[0]
        return self.ask_many([(doc, question)], n_best=n_best)[0]

    @overload
    def ask_many(self, pairs: Iterable[AskedPair]) -> List[Answer]: ...

    @overload
    def ask_many(self, pairs: Iterable[AskedPair], *, n_best: int) -> List[List[Answer]]: ...

    def ask_many(
        self, pairs: Iterable[AskedPair], *, n_best: Optional[int] = None
    ) -> Union[List[Answer], List[List[Answer]]]:
        """As `ask`, for Docs and questions together, which is quicker than one by one.

        Where some questions are too long, their answers are false, with an `error`, and a warning says so; a ValueError
        is raised when none can be asked.
        """
        if n_best is not None and n_best < 1:
            raise ValueError(f"[{self.name}] n_best must be at least 1, got {n_best}")
        pairs = list(pairs)
        found = self.find_answers(pairs, n_best=n_best or 1)
        if pairs:
            self._report_errors(found)
        mode = self.alignment_mode
        docs = [asked if isinstance(asked, Doc) else asked.doc for asked, _ in pairs]
        answers = []
        for doc, answered in zip(docs, found):
            if mode == "split":
                split_at_edges(doc, [answered])
            answers.append(make_answers(doc, answered, alignment_mode=mode))
        if n_best is not None:
            return answers
        nothing = [no_answer(doc, answered, alignment_mode=mode) for doc, answered in zip(docs, found)]
        return [own[0] if own else none for own, none in zip(answers, nothing)]

    def _report_errors(self, found: Sequence[AnsweredQuestion]) -> None:
        """Warn of questions that could not be asked; a ValueError where none could."""
        errors = [answered.error for answered in found if answered.error]
        if len(errors) == len(found):
            raise ValueError(errors[0])
        if errors:
            warnings.warn(
                f"{len(errors)} of {len(found)} questions could not be asked, and have no answer; first: {errors[0]}"
            )

    def find_answers(
        self, pairs: Sequence[AskedPair], *, n_best: int = 1, null_threshold: Optional[float] = None
    ) -> List[AnsweredQuestion]:
        """Find answers without touching the Docs.

        null_threshold: in place of the setting.
        RETURNS: per pair, at most n_best answers as characters, the likeliest first; none when null_score is above
            null_threshold.
        """
        threshold = self.null_threshold if null_threshold is None else null_threshold
        for asked, question in pairs:
            if not isinstance(asked, (Doc, Span)):
                raise ValueError(f"[{self.name}] a question is asked of a Doc, which nlp(text) makes; got {asked!r}")
            try:
                check_question(question)
            except ValueError as error:
                raise ValueError(f"[{self.name}] {error}") from error
        self.load()
        errors = {own: self._question_error(own) for own in dict.fromkeys(question for _, question in pairs)}
        can_be_asked = [pair for pair in pairs if not errors[pair[1]]]
        batches = self._batch_by_subwords(can_be_asked)
        outputs = (self._decode(output, n_best, threshold) for own in batches for output in self.model.predict(own))
        found = []
        for asked, question in pairs:
            if errors[question]:
                found.append(AnsweredQuestion(question, (), 1.0, error=errors[question]))
            else:
                found.append(move_answers(next(outputs), 0 if isinstance(asked, Doc) else asked.start_char))
        return found

    def _question_error(self, question: str) -> str:
        """RETURNS: why it cannot be asked; "" where it can."""
        attrs = self.model.attrs
        error = question_error(self.subword_encoder.encode(question), attrs["settings"], attrs["frame"])
        return f"[{self.name}] {error}" if error else ""

    def _batch_by_subwords(self, pairs: Sequence[AskedPair]) -> Iterator[List[AskedPair]]:
        settings, frame = self.model.attrs["settings"], self.model.attrs["frame"]
        batch: List[AskedPair] = []
        n_subwords = 0
        for asked, question in pairs:
            n_text = text_length(asked) if isinstance(asked, Doc) else asked.end_char - asked.start_char
            n_more = estimate_subwords(settings, frame, n_question=len(question), n_text=n_text)
            if batch and n_subwords + n_more > SUBWORDS_AT_ONCE:
                yield batch
                batch, n_subwords = [], 0
            batch.append((asked, question))
            n_subwords += n_more
        if batch:
            yield batch

    def _decode(self, output: AnswerLogits, n_best: int, null_threshold: float) -> AnsweredQuestion:
        if not all(np.isfinite(rows).all() for rows in output.rows):
            raise ValueError(self._not_finite())
        answers, null_score = find_answers(
            output,
            n_best=n_best,
            n_edges=self.top_n,
            max_answer_length=self.max_answer_length,
            end_inclusive=self.end_inclusive,
            allow_overlap=self.allow_overlap,
        )
        given = answers if null_score <= null_threshold else []
        return AnsweredQuestion(output.asked.question.text, tuple(given), null_score)

    # Prediction

    def predict(self, docs: Iterable[Doc]) -> List[List[AnsweredQuestion]]:
        """RETURNS: per Doc, what its questions were answered, in their order, without touching it."""
        docs = list(docs)
        asked = [self._questions_of(doc) for doc in docs]
        found = iter(self.find_answers([(doc, question) for doc, own in zip(docs, asked) for _, question in own]))
        answered = [[next(found)._replace(label=label) for label, _ in own] for own in asked]
        for own in answered:
            if own:
                self._report_errors(own)
        return answered

    def _questions_of(self, doc: Doc) -> List[Tuple[str, str]]:
        """RETURNS: (label, question) each once, and without a label of its own only where it has none."""
        every = [*label_questions(self.questions), *get_labelled_questions(doc)]
        labelled = {question for label, question in every if label != LABEL}
        return list(dict.fromkeys(own for own in every if own[0] != LABEL or own[1] not in labelled))

    def set_annotations(self, docs: Iterable[Doc], scores: List[List[AnsweredQuestion]]) -> None:
        """Write answers to Docs; with alignment_mode "split", tokens may be split."""
        for doc, answered in zip(docs, scores):
            annotate_answers(
                doc, answered, component=self.name, alignment_mode=self.alignment_mode, spans_key=self.spans_key
            )

    # Training

    def initialize(self, get_examples: Callable[[], Iterable[Example]], *, nlp: Optional[Language] = None) -> None:
        """Load the checkpoint; one that cannot answer questions gets a new layer, with random weights, to be trained.

        get_examples: gives examples whose references have answers, see set_gold_answers.
        """
        validate_get_examples(get_examples, "LukeQa.initialize")

        def renew(checkpoint: Checkpoint) -> Checkpoint:
            if not any(get_gold_answers(example.reference) for example in get_examples()):
                raise ValueError(
                    f"[{self.name}] the checkpoint {checkpoint.name} does not answer questions yet, and none of the "
                    "examples has one with its answer: spacy-luke-ja.SquadCorpus.v1 reads them, and "
                    "spacy_luke_ja.set_gold_answers sets them"
                )
            return checkpoint.with_new_classifier(OUTPUTS, QA.head.task)

        self._start(self._open(), OUTPUTS, renew)

    def _knows(self, checkpoint: Checkpoint, names: Sequence[str]) -> bool:
        """Two outputs are start and end, whatever they are called."""
        return len(checkpoint.tags) == len(names)

    def _inputs(self, examples: Sequence[Example]) -> List[AskedPair]:
        inputs: List[AskedPair] = []
        for example in examples:
            inputs += [(example.predicted, asked.question) for asked in get_gold(example)]
        for question in dict.fromkeys(question for _, question in inputs):
            error = self._question_error(question)
            if error:
                raise ValueError(error)
        return inputs

    def _summed_loss(
        self, examples: Iterable[Example], outputs: List[AnswerLogits]
    ) -> Tuple[float, List[List[np.ndarray]], int]:
        """Cross entropy of start and end in each window; "no answer" is right where the window has it not."""
        gold = [asked.answers for example in examples for asked in get_gold(example)]
        return answer_loss(outputs, [answers[:1] for answers in gold], end_inclusive=self.end_inclusive)


make_luke_qa = make_factory(
    LukeQa,
    functions={"scorer": {"@scorers": "spacy-luke-ja.qa_scorer.v1"}},
    assigns=["doc._.luke_answers", "doc.spans"],
    retokenizes=True,
    default_score_weights={"qa_f": 1.0, "qa_em": 0.0},
)


def move_answers(answered: AnsweredQuestion, n_chars: int) -> AnsweredQuestion:
    """From characters of a part of a text, which begins at n_chars, to those of the text."""
    moved = (FoundAnswer(start + n_chars, end + n_chars, score) for start, end, score in answered.answers)
    return answered._replace(answers=tuple(moved))


def get_gold(example: Example) -> List[AnsweredQuestion]:
    check_same_text(example)
    return get_gold_answers(example.reference)
