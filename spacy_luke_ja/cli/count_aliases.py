"""Texts whose mentions have links in, an alias table for luke_linker out."""

import warnings
from pathlib import Path
from typing import List

from typer import Argument, Exit, Option

from . import app
from .tables import print_warnings


@app.command("count-aliases")
def count_aliases_cli(
    input_paths: List[Path] = Argument(..., help='JSON lines, {"text": …, "links": …}, packed or not'),
    output_path: Path = Argument(..., help="The file to write: lines of alias, title and count, with tabs between"),
    on_bad_record: str = Option("raise", "--on-bad-record", help='"raise", or "skip" with a warning'),
) -> None:
    """Count what stands for which title of Wikipedia in linked texts."""
    from wasabi import msg

    from ..corpora.linking import count_aliases
    from ..corpora.parsed import check_on_bad_record
    from ..training.directories import replace_file
    from ..training.outputs import file_for

    try:
        check_on_bad_record(on_bad_record, setting="--on-bad-record")
        file_for(output_path, "data", inputs=input_paths)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            table = count_aliases(input_paths, on_bad_record=on_bad_record)
        print_warnings(caught)
        if not len(table):
            raise ValueError(f"{', '.join(map(str, input_paths))} has no link")
        replace_file(output_path, lambda new: new.write_bytes(table.to_bytes()))
    except (OSError, ValueError) as error:
        msg.fail(str(error))
        raise Exit(1) from error
    ambiguous = sum(len(titles) > 1 for titles in table.counts.values())
    msg.good(f"Wrote {len(table)} aliases, {ambiguous} of them with several titles, to {output_path}")
