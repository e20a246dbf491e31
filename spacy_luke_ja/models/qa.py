"""Answers to questions as a task of the window layer: a question and a window of the text behind it."""

from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from ..text.qa import AnswerLogits, AskedText
from ..text.subwords import SubwordEncoder, Subwords
from ..text.windows import Window, check_window, plan_overlapping_windows
from .hf_checkpoint import Checkpoint
from .settings import ModelSettings
from .task import Frame, FramedWindow, Head, Task
from .types import AskedPair

QUESTION_ANSWERER = Head(
    "QuestionAnswering", "MODEL_FOR_QUESTION_ANSWERING_MAPPING", "qa_outputs", ("start_logits", "end_logits")
)
DEFAULT_OVERLAP = 128


class QaTask(Task):
    """Questions stand whole before each window; neighbouring windows overlap, so that one of them has all of an answer.

    Of a window, the model's first row, which stands for no answer, is read, and those of the text and of the special
    subword behind it.
    """

    head = QUESTION_ANSWERER

    def check_settings(self, settings: ModelSettings) -> None:
        if settings.window is not None and settings.overlap is not None:
            check_window(settings.window, settings.overlap)

    def read_checkpoint(self, checkpoint: Checkpoint) -> Dict[str, Any]:
        if len(checkpoint.tags) != 2:
            raise ValueError(
                f"the checkpoint {checkpoint.name} has {len(checkpoint.tags)} outputs; question answering needs 2, for "
                "where an answer starts and where it ends"
            )
        return {}

    def frame(self, encoder: SubwordEncoder, checkpoint: Checkpoint) -> Frame:
        special = encoder.pair_ids()
        if special.text_type_id >= checkpoint.config.get("type_vocab_size", 2):
            special = special._replace(text_type_id=0)  # its tokenizer has types, but its encoder none
        return Frame(special, encoder.pad_id)

    def check_fit(self, settings: ModelSettings, frame: Frame, checkpoint_name: str) -> None:
        if longest_question(settings, frame) < 1:
            raise ValueError(
                f"overlap must be at most {(frame.max_window - 1) // 2} for the checkpoint {checkpoint_name}, whose "
                f"encoder takes {frame.max_window} subwords of question and text, got {settings.overlap}"
            )

    def encode(self, encoder: SubwordEncoder, inputs: Sequence[AskedPair]) -> List[AskedText]:
        """Each text is encoded once."""
        docs = {id(doc): doc for doc, _ in inputs}
        encoded = {key: encoder.encode(doc.text) for key, doc in docs.items()}
        return [AskedText(encoder.encode(question), encoded[id(doc)]) for doc, question in inputs]

    def plan(self, item: AskedText, settings: ModelSettings, frame: Frame) -> List[Window]:
        """Cut a text into windows that fit behind its question, which is never cut."""
        error = question_error(item.question, settings, frame)
        if error:
            raise ValueError(error)
        room = frame.max_window - len(item.question)
        window = min(room, settings.window or room)
        overlap = pair_overlap(settings.overlap, frame.max_window)
        if settings.overlap is None:
            overlap = min(overlap, window // 2)
        return plan_overlapping_windows(item.subwords, window=window, overlap=overlap)

    def place(self, item: AskedText, window: Window, frame: Frame) -> FramedWindow:
        ids = item.subwords.ids[window.subword_start : window.subword_end]
        framed = frame.surround(ids, question=item.question.ids)
        before, between, _, text_type_id = frame.special
        start = len(before) + len(item.question) + len(between)
        type_ids = (np.arange(len(framed)) >= start) * text_type_id if text_type_id else None
        return FramedWindow(framed, np.r_[0, start : start + len(window) + 1], type_ids)

    def join(self, item: AskedText, plan: Sequence[Window], rows: Sequence[np.ndarray], *, n_tags: int) -> AnswerLogits:
        return AnswerLogits(item, plan, rows)

    def split(self, d_output: Sequence[np.ndarray], plan: Sequence[Window]) -> List[np.ndarray]:
        return list(d_output)


def question_error(question: Subwords, settings: ModelSettings, frame: Frame) -> str:
    """RETURNS: why a question cannot be asked; "" where it can."""
    longest = longest_question(settings, frame)
    if len(question) <= longest:
        return ""
    overlap = pair_overlap(settings.overlap, frame.max_window)
    return (
        f"a question may have at most {longest} subwords, so that windows of the text with an overlap of {overlap} fit "
        f"behind it into the {frame.max_window} that the encoder takes; this one has {len(question)}: "
        f"{question.text[:40]!r}…"
    )


def estimate_subwords(settings: ModelSettings, frame: Frame, *, n_question: int, n_text: int) -> int:
    """RETURNS: how many subwords all windows of a pair have together, if each character is one.

    n_question, n_text: characters.
    """
    room = max(1, frame.max_window - n_question)
    window = min(room, settings.window or room)
    step = max(1, window - min(pair_overlap(settings.overlap, frame.max_window), window // 2))
    return (n_question + min(window, n_text)) * (1 + n_text // step)


def pair_overlap(overlap: Optional[int], limit: int) -> int:
    """The setting overlap, or by default 128, or a third of what the encoder takes where that is less."""
    return min(DEFAULT_OVERLAP, limit // 3) if overlap is None else overlap


def longest_question(settings: ModelSettings, frame: Frame) -> int:
    """Subwords of a question that leaves room for windows which move on by no less than they share."""
    return frame.max_window - max(2 * pair_overlap(settings.overlap, frame.max_window), 1)


QA = QaTask()
