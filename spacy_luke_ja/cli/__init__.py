"""`python -m spacy luke …`. spaCy imports this at every start, so a command imports what is heavy in its function."""

from spacy.cli._util import app as spacy_app
from typer import Typer

from .console import prepare_console

app: Typer = Typer(name="luke", help="Japanese named entities by LUKE", no_args_is_help=True)
app.callback()(prepare_console)
spacy_app.add_typer(app)

from .annotate import annotate_cli  # noqa: F401
from .calibrate import calibrate_cli  # noqa: F401
from .card import card_cli  # noqa: F401
from .compare import compare_cli  # noqa: F401
from .convert import convert, convert_stockmark  # noqa: F401
from .count_aliases import count_aliases_cli  # noqa: F401
from .debug_data import debug_data_cli  # noqa: F401
from .demo import demo  # noqa: F401
from .evaluate import evaluate_cli  # noqa: F401
from .evaluate_qa import evaluate_qa_cli  # noqa: F401
from .export_hf import export_hf_cli  # noqa: F401
from .quantize import quantize_cli  # noqa: F401
from .report import report  # noqa: F401
from .threshold import threshold_cli  # noqa: F401
from .train import train_cli  # noqa: F401
