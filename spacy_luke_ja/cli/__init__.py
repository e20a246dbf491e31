"""`python -m spacy luke …`. spaCy imports this at every start, so a command imports what is heavy in its function."""

from spacy.cli._util import app as spacy_app
from typer import Typer

app: Typer = Typer(name="luke", help="Japanese named entities by LUKE", no_args_is_help=True)
spacy_app.add_typer(app)

from .demo import demo  # noqa: F401
