"""Lists of names in, the spans of a text that they name out."""

import lzma
import re
from pathlib import Path
from typing import Collection, Dict, List, Sequence, Set, Tuple

from .texts import bare_title, read_titles

IPADIC_CLASSES = {
    ("人名", "姓"): "surname",
    ("人名", "名"): "given name",
    ("人名", "一般"): "person",
    ("組織", "*"): "organisation",
    ("一般", "*"): "proper noun",
}
# The subject codes of the articles on Kyoto (NICT); LTT … TTL hold works, rites, events and offices.
KYOTO_CODES = (
    "BDS", "BLD", "CLT", "EPR", "FML", "GNM", "HST", "LTT", "PNM", "RLW", "ROD", "SAT", "SCL", "SNT", "TTL",
)  # fmt: skip
# The classes of names, in no order; a hyperlink's text is a name whose class is not known.
CLASSES: Tuple[str, ...] = (*IPADIC_CLASSES.values(), *KYOTO_CODES, "title", "link")
MAX_CHARS = 24


class Gazetteer:
    """Names with their classes; the first list that has a name gives its class."""

    def __init__(self, linked: Path, left_out: Collection[str] = ()):
        """linked: the directory with titles.tsv.xz and ipadic_names.tsv.xz. left_out: titles not to be taken."""
        self.classes: Dict[str, str] = {}
        for name, class_ in [
            *title_classes(linked / "titles.tsv.xz", left_out),
            *read_ipadic(linked / "ipadic_names.tsv.xz"),
        ]:
            if 2 <= len(name) <= MAX_CHARS:
                self.classes.setdefault(name, class_)
        self.lengths: Dict[str, List[int]] = {}  # of the names, by their first two characters, longest first
        lengths: Dict[str, Set[int]] = {}
        for name in self.classes:
            lengths.setdefault(name[:2], set()).add(len(name))
        self.lengths = {start: sorted(sizes, reverse=True) for start, sizes in lengths.items()}

    def find(self, text: str, edges: Sequence[int], is_proper: Sequence[bool]) -> List[Tuple[int, int, str]]:
        """The longest names from left to right, without overlap.

        edges: where the morphemes of the text start, and its end; a name starts and ends at edges.
        is_proper: of each morpheme, whether it is a proper noun. A name of one morpheme that is none is passed over,
            for many titles are common words.
        RETURNS: (start, end, class) in characters.
        """
        index = {edge: i for i, edge in enumerate(edges)}
        found = []
        end_of_last = 0
        for i, start in enumerate(edges[:-1]):
            if start < end_of_last:
                continue
            for length in self.lengths.get(text[start : start + 2], ()):
                j = index.get(start + length)
                if j is None or (j == i + 1 and not is_proper[i]):
                    continue
                class_ = self.classes.get(text[start : start + length])
                if class_ is not None:
                    found.append((start, start + length, class_))
                    end_of_last = start + length
                    break
        return found


def title_classes(path: Path, left_out: Collection[str]) -> List[Tuple[str, str]]:
    names = []
    for source, id_, title in read_titles(path):
        class_ = id_[:3] if source == "kyoto_wiki" and id_[:3] in KYOTO_CODES else "title"
        if bare_title(title) not in left_out:
            names.append((re.sub(r" ?[(（].*", "", title), class_))
    # A code says more than "title".
    return sorted(names, key=lambda name: name[1] == "title")


def read_ipadic(path: Path) -> List[Tuple[str, str]]:
    names = []
    with lzma.open(path, "rt", encoding="utf8") as file_:
        for line in file_:
            surface, class_, subclass, _ = line.rstrip("\n").split("\t")
            names.append((surface, IPADIC_CLASSES[class_, subclass]))
    return names
