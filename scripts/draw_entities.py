"""Sentences in; docs/entities.svg, the picture of their entities in displaCy's colours, out.

python -m scripts.draw_entities docs/entities.svg
"""

import sys
import unicodedata
from html import escape
from pathlib import Path
from typing import Iterator, List, Tuple

import spacy_luke_ja
from spacy_luke_ja.colors import DISPLACY_COLORS

TEXTS = (
    "夏目漱石は東京帝国大学で英文学を教え、『こころ』を発表した。",
    "国土交通省は、広島県の橋を来春までに直すと発表した。",
    "1964年東京オリンピックの開会式は国立競技場で開かれた。",
    "読売ジャイアンツの長嶋茂雄は、後楽園球場で引退した。",
)
# In pixels.
SIZE, LABEL_SIZE, LINE, MARGIN, PADDING = 20, 11, 52, 18, 5
FONTS = "'Hiragino Sans','Yu Gothic','Noto Sans CJK JP','Noto Sans JP',sans-serif"


def width(text: str, size: int) -> float:
    """Half an em for what is not wide; browsers fit the characters to it by textLength."""
    return size * sum(1.0 if unicodedata.east_asian_width(char) in "WFA" else 0.5 for char in text)


def draw_text(text: str, x: float, y: float, size: int, more: str = "") -> str:
    length = width(text, size)
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" textLength="{length:g}" '
        f'lengthAdjust="spacingAndGlyphs"{more}>{escape(text)}</text>'
    )


def split(text: str, entities: List[Tuple[int, int, str]]) -> Iterator[Tuple[str, str]]:
    """The text in pieces, each with its label or with ""."""
    end = 0
    for start, stop, label in entities:
        yield text[end:start], ""
        yield text[start:stop], label
        end = stop
    yield text[end:], ""


def draw(lines: List[List[Tuple[str, str]]]) -> str:
    shapes = []
    right = 0.0
    for n, pieces in enumerate(lines):
        x, y = float(MARGIN), MARGIN + n * LINE + 30
        for piece, label in pieces:
            if label:
                inside = width(piece, SIZE) + PADDING + width(label, LABEL_SIZE)
                shapes.append(
                    f'<rect x="{x:g}" y="{y - 25}" width="{inside + 2 * PADDING:g}" height="34" rx="6" '
                    f'fill="{DISPLACY_COLORS[label]}"/>'
                )
                shapes.append(draw_text(piece, x + PADDING, y, SIZE))
                at = x + 2 * PADDING + width(piece, SIZE)
                shapes.append(draw_text(label, at, y - 2, LABEL_SIZE, ' font-weight="bold"'))
                x += inside + 3 * PADDING
            elif piece:
                shapes.append(draw_text(piece, x, y, SIZE))
                x += width(piece, SIZE) + PADDING
        right = max(right, x)
    size = f"{right + MARGIN:g} {len(lines) * LINE + MARGIN}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="{FONTS}" fill="#222">'
    return "\n".join([head, '<rect width="100%" height="100%" rx="10" fill="#fff"/>', *shapes, "</svg>", ""])


if __name__ == "__main__":
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner")
    lines = [
        list(split(doc.text, [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]))
        for doc in nlp.pipe(TEXTS)
    ]
    Path(sys.argv[1]).write_text(draw(lines), encoding="utf8")
