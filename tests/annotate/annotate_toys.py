"""Texts whose entities the toy LUKE finds, and readers of what annotate writes."""

import json
from pathlib import Path

TEXTS = ["山田花子は東京都へ行った。", "何もない。", "", "大阪の日立製作所。", "国会は大阪にない。"]
NAMES = [
    ["山田花子 人名", "東京都 地名"],
    [],
    [],
    ["大阪 地名", "日立製作所 法人名"],
    ["国会 政治的組織名", "大阪 地名"],
]


def names_of(rows, key="entities"):
    return [[f"{each['text']} {each['label']}" for each in row[key]] for row in rows]


def read_rows(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf8").splitlines()]


def rejects_of(path):
    return read_rows(f"{path}.rejects.jsonl")


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf8")
    return path


def files_in(path):
    return sorted(each.relative_to(path).as_posix() for each in path.rglob("*"))
