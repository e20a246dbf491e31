"""A file of JSON in, by lines or as a whole, its objects out, each with its place."""

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple, Union

from ..text.messages import show
from .files import read_lines
from .records import BadRecord, attempt

Values = Iterator[Tuple[str, Union[Any, BadRecord]]]
NAMES = "tag names"  # a key that no file has, for the names of tags that stand beside rows of numbers


def read_json_values(path: Path) -> Values:
    """JSON lines, arrays in one line or over several, and what the API of Hugging Face's datasets gives."""
    lines = read_lines(path)
    first = next((line.strip() for line in lines if line.strip()), b"")
    if is_document(first, lines):
        yield from read_document(b"\n".join(lines))
        return
    for n, line in enumerate(lines, start=1):
        if line.strip():
            for i, (value, n_values) in enumerate(unwrap(attempt(parse_json, line)), start=1):
                yield f"line {n}" if n_values == 1 else f"line {n}, object {i}", value


def is_document(first: bytes, lines: List[bytes]) -> bool:
    """Whether a file is one value over several lines."""
    if is_json(first):
        return False
    return (first.startswith(b"[") and not first.endswith(b"]")) or (
        first.startswith(b"{") and is_json(b"\n".join(lines))
    )


def is_json(content: bytes) -> bool:
    try:
        json.loads(content)
        return True
    except (ValueError, RecursionError):
        return False


def read_document(content: bytes) -> Values:
    try:
        text = content.decode("utf8")
    except UnicodeDecodeError as error:
        n = content.count(b"\n", 0, error.start) + 1
        yield f"line {n}", BadRecord(f"this is not UTF-8: {error}")
        return
    place = skip_blank(text, 0)
    if text[place] != "[":
        for i, (value, _) in enumerate(unwrap(attempt(parse_json, content)), start=1):
            yield f"object {i}", value
        return
    decoder = json.JSONDecoder(object_pairs_hook=without_repeated_keys)
    n, counted = 1, 0  # the line, and up to where its breaks are counted
    place = skip_blank(text, place + 1)
    while place < len(text) and text[place] != "]":
        n, counted = n + text.count("\n", counted, place), place
        try:
            value, end = decoder.raw_decode(text, place)
        except BadRecord as error:
            value, end = error, json.JSONDecoder().raw_decode(text, place)[1]
        except (ValueError, RecursionError) as error:
            yield f"line {n}", BadRecord(f"this is not JSON, and nothing behind it can be read: {error}")
            return
        yield f"line {n}", value
        place = skip_blank(text, end)
        if text[place : place + 1] not in (",", "]"):
            break
        place = skip_blank(text, place + (text[place] == ","))
    if text[place : place + 1] != "]" or text[place + 1 :].strip():
        n += text.count("\n", counted, place)
        yield f"line {n}", BadRecord(f"the array ends otherwise than by ], at {show(text[place : place + 40])}")


def skip_blank(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def unwrap(value: Any) -> List[Tuple[Any, int]]:
    """The objects in a value, each with how many there are; an array that is one spaCy tuple is one."""
    values = [value]
    if isinstance(value, list) and not is_tuple(value) and all(isinstance(each, (dict, list)) for each in value):
        values = value
    elif isinstance(value, dict) and isinstance(value.get("rows"), list) and "features" in value:
        names = names_of_tags(value["features"])
        rows = (row.get("row", row) if isinstance(row, dict) else row for row in value["rows"])
        values = [{**row, NAMES: names} if isinstance(row, dict) else row for row in rows]
    elif isinstance(value, dict) and "classes" in value and isinstance(value.get("annotations"), list):
        values = [each for each in value["annotations"] if each is not None]
    return [(each, len(values)) for each in values]


def is_tuple(value: Any) -> bool:
    """Whether this is spaCy's (text, {"entities": …})."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)


def names_of_tags(features: Any) -> Dict[str, List[str]]:
    """features: of a dataset, as dataset_info.json and the API have them. RETURNS: column → names of its numbers."""
    if isinstance(features, list):
        features = {each.get("name"): each.get("type") for each in features if isinstance(each, dict)}
    found = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        while isinstance(feature, (dict, list)) and feature and "names" not in feature:
            feature = feature[0] if isinstance(feature, list) else feature.get("feature", feature.get("sequence"))
            feature = feature.get("class_label", feature) if isinstance(feature, dict) else feature
        names = feature.get("names") if isinstance(feature, dict) else None
        if names:
            found[column] = list(names.values() if isinstance(names, dict) else names)
    return found


def parse_json(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf8"), object_pairs_hook=without_repeated_keys)
    except BadRecord:
        raise
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"this is not JSON in UTF-8: {error}") from error


def without_repeated_keys(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    item = dict(pairs)
    if len(item) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in item if names.count(name) > 1)
        raise BadRecord(f"the key {show(repeated)} stands more than once in an object")
    return item


def write_json_values(values: List[Any], *, as_lines: bool) -> bytes:
    """as_lines: JSON lines, not an array."""
    lines = [json.dumps(value, ensure_ascii=False) for value in values]
    text = "".join(line + "\n" for line in lines) if as_lines else "[\n" + ",\n".join(lines) + "\n]\n"
    return text.encode("utf8")
