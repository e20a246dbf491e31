"""Record tests/golden/family_ids.json with transformers 4.53.2: what its tokenizers give for tests/families.py.

    .venv-compat/bin/pip install fugashi unidic-lite "protobuf<6"
    .venv-compat/bin/python tests/golden/record_families.py

Run it again when a layout or a text there changes.
"""

import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
VERSION = "4.53.2"


def main() -> None:
    import transformers

    import families

    assert transformers.__version__ == VERSION, f"golden ids are those of transformers {VERSION}"
    golden = {}
    for name, layout in families.layouts().items():
        with tempfile.TemporaryDirectory() as directory:
            layout.write_tokenizer(Path(directory))
            tokenizer = getattr(transformers, layout.reference).from_pretrained(directory)
            for attribute, value in layout.attributes.items():
                setattr(tokenizer, attribute, value)
            golden[name] = [ids_of(tokenizer, layout, text) for text in families.TEXTS]
    content = {"transformers": VERSION, "ids": golden}
    (HERE / "family_ids.json").write_text(json.dumps(content, indent=None, separators=(",", ":")), encoding="utf8")


def ids_of(tokenizer, layout, text):
    if layout.before:  # rinna's card: [CLS] by hand, nothing behind
        return tokenizer.convert_tokens_to_ids([layout.before]) + tokenizer(text, add_special_tokens=False)["input_ids"]
    if "LlamaTokenizer" in layout.files["tokenizer_config.json"].decode() and tokenizer.is_fast:
        return [1, *tokenizer(text, add_special_tokens=False)["input_ids"], 2]  # as LlamaTokenizerFast puts them
    return tokenizer(text, truncation=False)["input_ids"]


if __name__ == "__main__":
    main()
