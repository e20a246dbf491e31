"""Record what an exported ja_luke_ner_sm gives under the transformers that is installed.

python -m spacy luke export-hf ja_luke_ner_sm DIRECTORY; python tests/golden/record_export.py DIRECTORY
"""

import json
import sys
from pathlib import Path

import torch
import transformers

TEXTS = [
    "夏目漱石は東京帝国大学で英文学を教え、『こころ』を発表した。",
    "ﾄﾖﾀ自動車は２０２０年東京オリンピックのスポンサーだった。",
    "か\u3099っこう　ＡＢＣ１２３㈱日立～<s>山田</s>",
]

tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
model = transformers.AutoModelForTokenClassification.from_pretrained(sys.argv[1])
recorded = {}
for text in TEXTS:
    inputs = tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        highest, tags = model(**inputs).logits[0].max(dim=1)
    numbers = [round(value, 4) for value in highest.tolist()]
    recorded[text] = {"ids": inputs["input_ids"][0].tolist(), "highest": numbers, "tags": tags.tolist()}
path = Path(__file__).parent / "export_hf.json"
path.write_text(json.dumps(recorded, ensure_ascii=False, indent=1) + "\n", encoding="utf8")
