"""The text of a file of JSON in, by lines or as a whole, its objects out, each with its place."""

import json
from typing import Any, Callable, Dict, Iterator, List, Tuple, Union

from ..text.messages import show
from .records import BadRecord, attempt, check_decoded

Values = Iterator[Tuple[str, Union[Any, BadRecord]]]
NAMES = "tag names"  # a key that no file has, for the names of tags that stand beside rows of numbers
BLANK = " \t\r\n\v\f"


def read_json_values(text: str, check: Callable[[str], None] = check_decoded) -> Values:
    """JSON lines, arrays in one line or over several, and what the API of Hugging Face's datasets gives.

    check: raises a BadRecord for an object of which a piece was not decoded.
    """
    lines = text.split("\n")
    first = next((line.strip(BLANK) for line in lines if line.strip(BLANK)), "")
    if is_document(first, text):
        yield from read_document(text, check)
        return
    for n, line in enumerate(lines, start=1):
        if line.strip(BLANK):
            for i, (value, n_values) in enumerate(unwrap(attempt(parse_json, line, check)), start=1):
                yield f"line {n}" if n_values == 1 else f"line {n}, object {i}", value


def is_document(first: str, text: str) -> bool:
    """Whether a file is one value over several lines."""
    if is_json(first):
        return False
    return (first.startswith("[") and not first.endswith("]")) or (first.startswith("{") and is_json(text))


def is_json(text: str) -> bool:
    try:
        json.loads(text)
        return True
    except (ValueError, RecursionError):
        return False


def read_document(text: str, check: Callable[[str], None]) -> Values:
    place = skip_blank(text, 0)
    if text[place] != "[":
        for i, (value, _) in enumerate(unwrap(attempt(parse_json, text, check)), start=1):
            yield f"object {i}", value
        return
    decoder = json.JSONDecoder(object_pairs_hook=without_repeated_keys)
    n, counted = 1, 0  # the line, and up to where its breaks are counted
    place = skip_blank(text, place + 1)
    while place < len(text) and text[place] != "]":
        n, counted = n + text.count("\n", counted, place), place
        try:
            value, end = decoder.raw_decode(text, place)
            check(text[place:end])
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


def parse_json(text: str, check: Callable[[str], None]) -> Any:
    check(text)
    try:
        return json.loads(text, object_pairs_hook=without_repeated_keys)
    except BadRecord:
        raise
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"this is not JSON: {error}") from error


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
