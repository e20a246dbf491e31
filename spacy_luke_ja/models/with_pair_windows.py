"""Questions and texts in, logits of where answers begin and end out, through windows that the encoder can take."""

from typing import Callable, List, Optional, Tuple

import numpy as np
from thinc.api import Model

from ..text.answers import AnswerLogits, AskedText
from ..text.subwords import PairIds, Subwords
from ..text.windows import Window, check_window, plan_overlapping_windows
from .types import ClassifierModel
from .window_rows import run_windows
from .with_windows import check_window_settings

DEFAULT_OVERLAP = 128


def with_pair_windows(
    layer: ClassifierModel, *, window: Optional[int], overlap: Optional[int], max_batch_subwords: int
) -> Model[List[AskedText], List[AnswerLogits]]:
    """Run a layer that takes windows over questions, each whole, and texts of any length.

    layer: batches of windows in, two logits for each of their subwords out.
    window: subwords of the text in a window; as many as the question leaves of what the encoder takes when None, and
        never more than that.
    overlap: subwords that neighbouring windows share; as in pair_overlap when None.
    max_batch_subwords: as in with_windows.

    attrs["max_window"], the most subwords of question and window together, and pair_ids come with the checkpoint.
    """
    check_window_settings(window=window, overlap=overlap, max_batch_subwords=max_batch_subwords)
    if window is not None and overlap is not None:
        check_window(window, overlap)
    return Model(
        "with_pair_windows",
        forward,
        layers=[layer],
        attrs={
            "window": window,
            "overlap": overlap,
            "max_batch_subwords": max_batch_subwords,
            "max_window": None,
            "pair_ids": None,
            "pad_id": 0,
        },
    )


def forward(model: Model, texts: List[AskedText], is_train: bool) -> Tuple[List[AnswerLogits], Callable]:
    pair_ids: PairIds = model.attrs["pair_ids"]
    plans = [plan_pair_windows(model, asked) for asked in texts]
    ends = np.cumsum([0, *map(len, plans)]).tolist()
    starts = [len(pair_ids.before) + len(asked.question) + len(pair_ids.between) for asked in texts]
    windows = [join_pair(pair_ids, asked, w) for asked, plan in zip(texts, plans) for w in plan]
    text_starts = [start for start, plan in zip(starts, plans) for _ in plan]
    type_ids = None
    if pair_ids.text_type_id:
        type_ids = [(np.arange(len(ids)) >= start) * pair_ids.text_type_id for ids, start in zip(windows, text_starts)]
    rows, backprop_rows = run_windows(
        model.layers[0],
        windows,
        type_ids=type_ids,
        pad_id=model.attrs["pad_id"],
        max_batch_subwords=model.attrs["max_batch_subwords"],
        is_train=is_train,
    )
    # No answer, the window, and the special subword behind it.
    ends_of_rows = [start + len(w) + 1 for start, w in zip(text_starts, (w for plan in plans for w in plan))]
    answer_rows = [
        np.concatenate([own[:1], own[start:end]]) for own, start, end in zip(rows, text_starts, ends_of_rows)
    ]

    def backprop_windows(d_logits: List[List[np.ndarray]]) -> List[AskedText]:
        d_rows = [np.zeros(own.shape, dtype="float32") for own in rows]
        d_windows = (d for text in d_logits for d in text)
        for d_own, start, end, d_window in zip(d_rows, text_starts, ends_of_rows, d_windows):
            d_own[0], d_own[start:end] = d_window[0], d_window[1:]
        backprop_rows(d_rows)
        return []

    outputs = [AnswerLogits(a, p, answer_rows[i:j]) for a, p, i, j in zip(texts, plans, ends, ends[1:])]
    return outputs, backprop_windows


def plan_pair_windows(model: Model, asked: AskedText) -> List[Window]:
    """Cut a text into windows that fit behind its question, which is never cut."""
    limit = model.attrs["max_window"]
    overlap = pair_overlap(model.attrs["overlap"], limit)
    room = limit - len(asked.question)
    error = question_error(model, asked.question)
    if error:
        raise ValueError(error)
    window = min(room, model.attrs["window"] or room)
    if model.attrs["overlap"] is None:
        overlap = min(overlap, window // 2)
    return plan_overlapping_windows(asked.subwords, window=window, overlap=overlap)


def question_error(model: Model, question: Subwords) -> str:
    """RETURNS: why a question cannot be asked; "" where it can."""
    limit = model.attrs["max_window"]
    overlap = pair_overlap(model.attrs["overlap"], limit)
    longest = longest_question(limit, overlap)
    if len(question) <= longest:
        return ""
    return (
        f"a question may have at most {longest} subwords, so that windows of the text with an overlap of {overlap} fit "
        f"behind it into the {limit} that the encoder takes; this one has {len(question)}: {question.text[:40]!r}…"
    )


def estimate_subwords(model: Model, *, n_question: int, n_text: int) -> int:
    """RETURNS: how many subwords all windows of a pair have together, if each character is one.

    n_question, n_text: characters.
    """
    limit = model.attrs["max_window"]
    room = max(1, limit - n_question)
    window = min(room, model.attrs["window"] or room)
    step = max(1, window - min(pair_overlap(model.attrs["overlap"], limit), window // 2))
    return (n_question + min(window, n_text)) * (1 + n_text // step)


def pair_overlap(overlap: Optional[int], limit: int) -> int:
    """The setting overlap, or by default 128, or a third of what the encoder takes where that is less."""
    return min(DEFAULT_OVERLAP, limit // 3) if overlap is None else overlap


def longest_question(limit: int, overlap: Optional[int]) -> int:
    """Subwords of a question that leaves room for windows which move on by no less than they share."""
    return limit - max(2 * pair_overlap(overlap, limit), 1)


def join_pair(pair_ids: PairIds, asked: AskedText, window: Window) -> np.ndarray:
    ids = asked.subwords.ids[window.subword_start : window.subword_end]
    parts = (pair_ids.before, asked.question.ids, pair_ids.between, ids, pair_ids.after)
    return np.concatenate(parts).astype("int64")
