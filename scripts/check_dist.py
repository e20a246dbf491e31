"""Built sdists and wheels in; whether each installs into an empty environment and finds names without a network out.

python -m scripts.check_dist dist: what they depend on comes from the environment that this runs in.
"""

import argparse
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import List

BLOCK = """
import socket

def refuse(*args, **kwargs):
    raise OSError("the network is blocked")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""
RUN = """
import spacy, spacy_luke_ja
from pathlib import Path

assert Path(spacy_luke_ja.__file__).is_relative_to({site!r}), spacy_luke_ja.__file__
for name in {names!r}:
    nlp = spacy.load(name)
    assert Path(__import__(name).__file__).is_relative_to({site!r}), name
    doc = nlp("夏目漱石は東京帝国大学で英文学を教えた。")
    print(name, nlp.meta["version"], [(ent.text, ent.label_) for ent in doc.ents])
    assert "luke_ner" not in nlp.pipe_names or len(doc.ents) == 2
"""


def check(files: List[Path], directory: Path) -> None:
    """Install files into a new environment and run one sentence.

    Raises a CalledProcessError where that fails.
    """
    venv.create(directory, with_pip=True, symlinks=True)
    python = directory / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    purelib = sysconfig.get_path("purelib", "venv", vars={"base": str(directory), "platbase": str(directory)})
    # A venv of Python 3.10 or 3.11 brings a setuptools that needs wheel, and would hide this environment's.
    subprocess.run([str(python), "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools"], check=True, cwd=directory)
    dependencies = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    Path(purelib, "dependencies.pth").write_text("\n".join(dependencies), encoding="utf8")
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"]
    install = [str(python), "-m", "pip", "install", "--force-reinstall", *options, *map(str, files)]
    subprocess.run(install, check=True, cwd=directory)
    Path(purelib, "sitecustomize.py").write_text(BLOCK, encoding="utf8")
    names = sorted({file_.name.partition("-")[0] for file_ in files} - {"spacy_luke_ja"})
    subprocess.run([str(python), "-c", RUN.format(site=purelib, names=names)], check=True, cwd=directory)
    subprocess.run([str(python), "-m", "spacy", "luke", "demo", "山田花子は東京へ"], check=True, cwd=directory)


def main(dist: Path) -> None:
    for ending in (".whl", ".tar.gz"):
        files = sorted(path.resolve() for path in dist.iterdir() if path.name.endswith(ending))
        if not files:
            raise SystemExit(f"{dist} has no {ending}; run make dist")
        with tempfile.TemporaryDirectory() as directory:
            check(files, Path(directory))
        print(f"{len(files)} of {ending} install and run without a network", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dist", type=Path)
    main(parser.parse_args().dist)
