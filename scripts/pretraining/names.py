"""Lists of names in, drawn names with their labels for the slots of patterns out.

The lists of data/patterns/names hold what people name every day, with weights. Surnames with their frequency, given
names and readings are those of the package japanese-personal-name-dataset (MIT), without which there are no patterns; a
share of the other names are mentions of Stockmark's train part, and of JMnedict (jamdict-data, CC BY-SA 4.0).
"""

import contextlib
import csv
import importlib.util
import random
import sqlite3
import unicodedata
from importlib import resources
from itertools import accumulate
from pathlib import Path
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

# Label → the slots of its names. Slots of persons, companies, shops, branches and groups are put together below.
LABEL_SLOTS = {
    "人名": "外国名 ローマ字名 愛称 姓地名 稀姓 著名人",
    "法人名": "社名 企業 銀行 報道 大学 店 協会",
    "政治的組織名": "省庁 政党 役所 国際機関",
    "その他の組織名": "チーム バンド 団体",
    "地名": "国 県 市 町名 住所 地形 地域",
    "施設名": "駅 路線 学校 病院 空港 公園 ビル 会場 寺社 美術館 支店 ホテル 施設 道路 単店",
    "製品名": "商品 アプリ 薬 ゲーム 作品 法律 賞 資格",
    "イベント名": "大会 祭り 催し 災害 戦争",
}
SLOT_LABELS = {slot: label for label, slots in LABEL_SLOTS.items() for slot in slots.split()}
# Slots that stand for their label as a whole: a share of their names are Stockmark's mentions of it.
OPEN_SLOTS = set("企業 チーム 市 地形 施設 商品 作品 大会 催し 政党 役所 外国名".split())
# Slot → type of JMnedict.
JMNEDICT_TYPES = {
    "姓": "surname",
    "姓名": "person",
    "会社名": "company",
    "市": "place",
    "駅": "station",
    "商品": "product",
    "作品": "work",
}
MAX_JMNEDICT_CHARS = 20
OTHER_SOURCE_SHARE = 0.15  # of the names of a slot that come from Stockmark, and of those from JMnedict
# Legal forms and their weights.
FORMS_BEFORE = {
    "株式会社": 10.0, "(株)": 2.0, "（株）": 3.0, "㈱": 2.0, "有限会社": 3.0, "㈲": 1.0, "合同会社": 3.0,
    "合資会社": 1.0, "株式会社 ": 1.0, "株式会社　": 1.0,
}  # fmt: skip
FORMS_BEHIND = {
    "株式会社": 8.0, "(株)": 1.0, "（株）": 2.0, "㈱": 2.0, "有限会社": 1.0, "合同会社": 1.0, "株式會社": 0.3,
    " Inc.": 0.5, " Co., Ltd.": 0.5, " 株式会社": 0.5, "　株式会社": 0.5,
}  # fmt: skip
# Legal forms of other corporations, and what mostly ends their names.
CORPORATIONS = {
    "税理士法人": "会計", "弁護士法人": "法律事務所", "監査法人": "", "司法書士法人": "", "社会保険労務士法人": "",
    "行政書士法人": "", "医療法人": "会", "医療法人社団": "会", "社会福祉法人": "会", "学校法人": "学園",
    "農事組合法人": "",
}  # fmt: skip
TRADES = """
    工業 商事 建設 製作所 不動産 電機 電子 化学 製薬 食品 運輸 物流 産業 興業 印刷 設計 技研 精工 鉄工 繊維 紙業 水産
    酒造 製菓 薬品 通商 開発 システム システムズ テクノロジー ソリューションズ ホールディングス グループ
    コーポレーション コンサルティング デザイン フーズ ケミカル エンジニアリング パートナーズ ネットワーク 工務店
    塗装 電設 造園 自動車 モータース 住宅 ホーム 旅行 トラベル 観光 警備 印房
    書店 出版 企画 プランニング 楽器 金属 硝子 窯業 木材 材木店
    青果 農園 牧場
""".split()


class Name(NamedTuple):
    """A drawn name: its parts, each with its label ("" for what stands between), and how it is read."""

    parts: Tuple[Tuple[str, str], ...]
    reading: str = ""


class Weighted:
    """Strings to draw by weight."""

    def __init__(self, weights: Mapping[str, float]):
        self.names = list(weights)
        self._ends = list(accumulate(weights.values()))

    def __len__(self) -> int:
        return len(self.names)

    def draw(self, rng: random.Random) -> str:
        return rng.choices(self.names, cum_weights=self._ends)[0]


class Names:
    """Draws a name for a slot."""

    def __init__(
        self,
        directory: Path,
        *,
        mentions: Mapping[str, Sequence[str]],
        jmnedict: Optional[Mapping[str, Sequence[str]]] = None,
        n_listed: Optional[int] = None,
    ):
        """
        directory: with a file of names and weights for each slot. mentions: label → mentions in annotated sentences.
        jmnedict: slot → names, as read_jmnedict gives them. n_listed: how many names of each list; None for all.
        """
        lists = {path.stem: list(read_list(path).items())[:n_listed] for path in sorted(directory.glob("*.tsv"))}
        self.lists = {slot: Weighted(dict(names)) for slot, names in lists.items()}
        self.mentions = {label: [name for name in own if len(name) > 1] for label, own in mentions.items()}
        self.jmnedict = jmnedict or {}
        self.surnames, self.given_names, self.readings = read_person_names()
        self._special: Dict[str, Callable[[random.Random], Name]] = {
            "姓": self._surname, "名": self._given_name, "姓名": self._full_name, "姓 名": self._spaced_name,
            "姓 ROMAJI": self._mixed_name, "駅名": self._bare_station, "空港名": self._bare_airport,
            "会社": self._company, "店": self._shop, "支店": self._branch, "団体": self._group,
        }  # fmt: skip

    def draw(self, slot: str, rng: random.Random) -> Name:
        if slot in self._special:
            return self._special[slot](rng)
        if slot not in SLOT_LABELS:
            known = ", ".join([*self._special, *SLOT_LABELS])
            raise ValueError(f"a pattern has the slot {{{slot}}}, but there are only {known}")
        return Name(((self._draw_listed(slot, rng), SLOT_LABELS[slot]),))

    def _draw_listed(self, slot: str, rng: random.Random) -> str:
        label = SLOT_LABELS[slot]
        if slot in OPEN_SLOTS and self.mentions.get(label) and rng.random() < OTHER_SOURCE_SHARE:
            return rng.choice(self.mentions[label])
        if self.jmnedict.get(slot) and rng.random() < OTHER_SOURCE_SHARE:
            return rng.choice(self.jmnedict[slot])
        return self.lists[slot].draw(rng)

    # Persons

    def _surname(self, rng: random.Random) -> Name:
        surname, reading = self._draw_surname(rng)
        return Name(((surname, "人名"),), reading)

    def _given_name(self, rng: random.Random) -> Name:
        name, reading = self._draw_given_name(rng)
        return Name(((name, "人名"),), reading)

    def _full_name(self, rng: random.Random, between: str = "") -> Name:
        if not between and rng.random() < 0.06:
            return Name(((self.lists["愛称"].draw(rng), "人名"),))
        if not between and rng.random() < 0.12:
            return Name(((self.lists["著名人"].draw(rng), "人名"),))
        if self.jmnedict.get("姓名") and not between and rng.random() < 0.08:
            return Name(((rng.choice(self.jmnedict["姓名"]), "人名"),))
        (surname, reading), (given, given_reading) = self._draw_surname(rng), self._draw_given_name(rng)
        space = between or rng.choice(("", " ", "　"))
        return Name(((surname + between + given, "人名"),), f"{reading}{space}{given_reading}")

    def _spaced_name(self, rng: random.Random) -> Name:
        return self._full_name(rng, rng.choice((" ", " ", "　", "　", "  ")) if rng.random() < 0.95 else "\u3000\u3000")

    def _mixed_name(self, rng: random.Random) -> Name:
        surname, given = self._draw_surname(rng)[0], self.lists["ローマ字名"].draw(rng).split()[0]
        return Name(((f"{surname} {given.upper()}", "人名"),))

    def _bare_station(self, rng: random.Random) -> Name:
        return Name(((self._draw_listed("駅", rng).removeprefix("JR").removesuffix("駅") or "大宮", "施設名"),))

    def _bare_airport(self, rng: random.Random) -> Name:
        return Name(((self.lists["空港"].draw(rng).partition("国際")[0].removesuffix("空港") or "羽田", "施設名"),))

    def _draw_surname(self, rng: random.Random) -> Tuple[str, str]:
        kind = rng.random()
        if kind < 0.55:
            surname = self.surnames.draw(rng)
        elif kind < 0.73:
            surname = rng.choice(self.surnames.names)
        elif kind < 0.88:
            surname = self.lists["姓地名"].draw(rng)
        elif kind < 0.96 or not self.jmnedict.get("姓"):
            surname = self.lists["稀姓"].draw(rng)
        else:
            surname = rng.choice(self.jmnedict["姓"])
        reading = self.readings.get(surname, "")
        if reading and rng.random() < 0.02:
            return reading, reading
        return surname, reading

    def _draw_given_name(self, rng: random.Random) -> Tuple[str, str]:
        if "名" in self.lists and rng.random() < 0.45:
            name = self.lists["名"].draw(rng)
            return name, self.readings.get(name, name)
        reading, kanji = rng.choice(self.given_names)
        kind = rng.random()
        if kind < 0.68 and kanji:
            return rng.choice(kanji), reading
        return (reading if kind < 0.88 else to_katakana(reading)), reading

    # Companies and other bodies

    def _company(self, rng: random.Random) -> Name:
        kind = rng.random()
        if kind < 0.16:
            form = rng.choice(list(CORPORATIONS))
            ending = CORPORATIONS[form] if rng.random() < 0.7 else ""
            return Name(
                ((form + rng.choice(("", "", "", " ")) + self._company_body(rng, bare=True) + ending, "法人名"),)
            )
        body = self._company_body(rng)
        if rng.random() < 0.6:
            form = draw(FORMS_BEFORE, rng)
            return Name(((form + body, "法人名"),))
        return Name(((body + draw(FORMS_BEHIND, rng), "法人名"),))

    def _company_body(self, rng: random.Random, bare: bool = False) -> str:
        kind = rng.random()
        if kind < 0.25:
            return self.lists["社名"].draw(rng)
        if kind < 0.4 and not bare:
            return self.lists["企業"].draw(rng)
        if kind < 0.5 and self.jmnedict.get("会社名"):
            return rng.choice(self.jmnedict["会社名"])
        start = rng.choice(
            (self._draw_surname(rng)[0], self.lists["町名"].draw(rng), to_katakana(self._draw_given_name(rng)[1]))
        )
        return start + ("" if bare or rng.random() < 0.15 else rng.choice(TRADES))

    def _shop(self, rng: random.Random) -> Name:
        if rng.random() < 0.25:
            return Name(((self.lists["単店"].draw(rng), "施設名"),))
        shop = Name(((self.lists["店"].draw(rng), "法人名"),))
        if rng.random() < 0.15:
            return Name((*shop.parts, ("", ""), (self.lists["町名"].draw(rng) + "店", "施設名")))
        return shop

    def _branch(self, rng: random.Random) -> Name:
        branch = (self.lists["支店"].draw(rng), "施設名")
        if rng.random() < 0.5:
            return Name((branch,))
        owner = self._company(rng).parts if rng.random() < 0.4 else self.draw(rng.choice(("企業", "銀行")), rng).parts
        return Name((*owner, (rng.choice(("", "", " ", "　")), ""), branch))

    def _group(self, rng: random.Random) -> Name:
        if rng.random() < 0.5:
            return Name(((self.lists["協会"].draw(rng), "法人名"),))
        return Name(((self.lists["団体"].draw(rng), "その他の組織名"),))


def draw(weights: Mapping[str, float], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def to_katakana(text: str) -> str:
    return "".join(chr(ord(char) + 0x60) if "ぁ" <= char <= "ゖ" else char for char in text)


def read_list(path: Path) -> Dict[str, float]:
    rows = [line.rstrip("\n").split("\t") for line in path.read_text(encoding="utf8").splitlines() if line.strip()]
    return {name: float(weight) for name, weight in rows}


def read_person_names() -> Tuple[Weighted, List[Tuple[str, List[str]]], Dict[str, str]]:
    """RETURNS: surnames by the square root of their frequency; given names, the reading with its spellings; and
    spelling → reading for both."""
    try:
        dataset = resources.files("japanese_personal_name_dataset") / "dataset"
    except ModuleNotFoundError as error:
        raise ImportError("patterns need names: pip install japanese-personal-name-dataset jamdict-data") from error
    readings: Dict[str, str] = {}
    surnames: Dict[str, float] = {}
    for name, count, reading, _ in csv.reader((dataset / "last_name_org.csv").read_text(encoding="utf8").splitlines()):
        surnames.setdefault(name, float(count) ** 0.5)
        readings.setdefault(name, reading)
    given_names = []
    for sex in ("woman", "man"):
        text = (dataset / f"first_name_{sex}_opti.csv").read_text(encoding="utf8")
        for reading, _, *spellings in csv.reader(text.splitlines()):
            given_names.append((reading, [spelling for spelling in spellings if spelling]))
            for spelling in spellings:
                readings.setdefault(spelling, reading)
    return Weighted(surnames), given_names, readings


def find_jmnedict() -> Optional[Path]:
    """The database of the package jamdict-data, where that is installed."""
    spec = importlib.util.find_spec("jamdict_data")
    return Path(spec.origin).parent / "jamdict.db" if spec and spec.origin else None


def read_jmnedict(path: Path) -> Dict[str, List[str]]:
    """path: jamdict.db. RETURNS: slot → names, those that are written in kana alone too."""
    query = """
        SELECT DISTINCT COALESCE(NEKanji.text, NEKana.text) FROM NETransType
        JOIN NETranslation ON NETranslation.ID = NETransType.tid
        LEFT JOIN NEKanji ON NEKanji.idseq = NETranslation.idseq
        LEFT JOIN NEKana ON NEKana.idseq = NETranslation.idseq
        WHERE NETransType.text = ?
    """
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return {
            slot: sorted(
                {
                    unicodedata.normalize("NFKC", name)
                    for (name,) in database.execute(query, (type_,))
                    if 1 < len(name) < MAX_JMNEDICT_CHARS
                }
            )
            for slot, type_ in JMNEDICT_TYPES.items()
        }
