"""The options of annotate in; the same, checked, out, and which of them decide what the output is."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

from ..corpora.files import ending_of, import_zstandard
from ..label_maps import get_label_map
from . import parquet, progress
from .encodings import AUTO, is_utf8
from .ray_engine import import_ray
from .readers import READERS
from .work import digest_of_model

ENGINES = ("local", "ray")
CHUNK_BYTES, CHUNK_RECORDS = 1 << 20, 10_000


@dataclass(frozen=True)
class AnnotateSettings:
    """As the options of the command, which says what they mean."""

    model: str = "ja_luke_ner_sm"
    text_column: str = "text"
    id_column: Optional[str] = None
    entities_column: str = "entities"
    with_source: bool = False
    input_format: str = ""
    output_format: str = ""
    text_per: str = "line"
    encoding: str = "utf-8"
    delimiter: str = ""
    questions: Tuple[str, ...] = ()
    label_map: Optional[str] = None
    threshold: Optional[float] = None
    min_score: float = 0.0
    batch_size: Optional[int] = None
    chunk_bytes: int = CHUNK_BYTES
    code: Optional[Path] = None
    gpu_id: int = -1
    n_process: int = 1
    engine: str = "local"
    concurrency: Optional[int] = None
    with_sample: bool = False
    overwrite: bool = False


# What changes neither the output nor where chunks end.
FREE_SETTINGS = ("n_process", "engine", "concurrency", "overwrite", "code", "output_format")


def check_settings(settings: AnnotateSettings, inputs: Sequence[str], output: Path) -> None:
    """Raise a ValueError that names an option, its value and what would be right."""
    if not inputs:
        raise ValueError("an INPUT is needed: a file, a folder, a pattern, or - for stdin")
    if settings.input_format and settings.input_format not in READERS:
        raise ValueError(f"--input-format must be one of {', '.join(READERS)}, got {settings.input_format}")
    if settings.text_per not in ("line", "file"):
        raise ValueError(f"--text-per must be line or file, got {settings.text_per}")
    for option, number in (("--min-score", settings.min_score), ("--threshold", settings.threshold)):
        if number is not None and not 0 <= number <= 1:
            raise ValueError(f"{option} must be between 0 and 1, got {number}")
    if settings.engine not in ENGINES:
        raise ValueError(f"--engine must be {' or '.join(ENGINES)}, got {settings.engine}")
    if settings.engine == "ray" and settings.n_process != 1:
        raise ValueError(f"--n-process is for one machine; give --concurrency {settings.n_process} with --engine ray")
    if settings.engine != "ray" and settings.concurrency is not None:
        raise ValueError(f"--concurrency is for --engine ray; give --n-process {settings.concurrency} on one machine")
    if settings.engine == "ray":
        import_ray()
    for option, least in (("concurrency", 1), ("n_process", 1), ("batch_size", 1), ("chunk_bytes", 1)):
        number = getattr(settings, option)
        if number is not None and number < least:
            raise ValueError(f"{option_of(option)} must be at least {least}, got {number}")
    check_encoding(settings.encoding)
    delimiter = delimiter_in(settings.delimiter)
    if delimiter and (len(delimiter) > 1 or delimiter in '"\r\n'):
        raise ValueError(f"--delimiter must be one character, or tab, got {settings.delimiter!r}")
    if output.suffix.lower() == ".zst":
        import_zstandard()
    if ending_of(output) == ".parquet":
        parquet.import_pyarrow()
    named_label_map(settings.label_map)


def check_encoding(encoding: str) -> None:
    """An encoding in which lines end with the byte 0x0a, and ASCII is ASCII."""
    if encoding == AUTO:
        return
    try:
        is_plain = is_utf8(encoding) or '\n,"{'.encode(encoding) == b'\n,"{'
    except LookupError as error:
        raise ValueError(
            f"--encoding must be one that Python knows, such as utf-8 or cp932, or {AUTO}, got {encoding}"
        ) from error
    if not is_plain:
        raise ValueError(f"--encoding cannot be {encoding}; iconv -f {encoding} -t UTF-8 makes a file that can be read")


def delimiter_in(given: str) -> str:
    return "\t" if given in ("tab", r"\t") else given


def named_label_map(name: Optional[str]) -> Dict[str, str]:
    return get_label_map(name, setting="--label-map") if name else {}


def option_of(name: str) -> str:
    names = {"questions": "--qa-question", "chunk_bytes": "--chunk-size", "with_sample": "--html"}
    return names.get(name, "--" + name.replace("_", "-"))


def described(settings: AnnotateSettings, writer: str) -> Dict[str, Any]:
    """What decides what the output is, by option."""
    import spacy_luke_ja

    values = {name: value for name, value in asdict(settings).items() if name not in FREE_SETTINGS}
    run = {option_of(name): list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    run["--output-format"] = writer
    run["the content of --model"] = digest_of_model(settings.model)
    run["the content of --code"] = progress.digest_of(settings.code) if settings.code else None
    run["the version of spacy_luke_ja"] = spacy_luke_ja.__version__
    return run
