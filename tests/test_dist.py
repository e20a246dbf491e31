"""make dist: what it builds is whole, and runs in an environment that has nothing else of ours."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts import check_dist

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_sdists_and_wheels_install_and_run_without_a_network(tmp_path, capfd):
    for module in ("build", "setuptools"):
        pytest.importorskip(module, reason=f"pip install {module}")
    source = tmp_path / "source"  # no build directory of ours in between
    ignored = shutil.ignore_patterns("*.egg-info", "build", "__pycache__", ".venv*")
    for name in ("spacy_luke_ja", "packages"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    dist = tmp_path / "dist"
    for path in (source, *(setup.parent for setup in source.glob("packages/*/setup.cfg"))):
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(path)]
        built = subprocess.run(command, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr[-2000:]
    (wheel,) = dist.glob("spacy_luke_ja-*.whl")
    (sdist,) = dist.glob("spacy_luke_ja-*.tar.gz")
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (ROOT / "spacy_luke_ja").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.relative_to(ROOT).as_posix() for path in files} <= names
    assert not [name for name in names if name.startswith(("tests", "scripts", "packages"))]
    in_sdist = {name.partition("/")[2] for name in tarfile.open(sdist).getnames()}
    assert {"LICENSE", "NOTICE", "README.md", "spacy_luke_ja/evaluation/report.html"} <= in_sdist
    try:
        import twine  # noqa: F401
    except ImportError:
        pass
    else:
        check = [sys.executable, "-m", "twine", "check", "--strict", *map(str, dist.iterdir())]
        checked = subprocess.run(check, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
    capfd.readouterr()
    check_dist.main(dist)
    printed = capfd.readouterr().out
    for ending in (".whl", ".tar.gz"):
        assert f"{len(list(dist.glob('*' + ending)))} of {ending} install and run without a network" in printed
    assert "ja_luke_ner_sm" in printed and "山田花子" in printed


def test_a_wheel_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match="has no .whl; run make dist"):
        check_dist.main(tmp_path)
