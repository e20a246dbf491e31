"""The bare network of a checkpoint on runtimes that are not backends, beside those that are: is one missing?

    pip install onnx onnxruntime onnxscript
    python benchmarks/runtimes.py --checkpoint ja_luke_ner_sm --windows 16 --length 64

PyTorch as it is and compiled, OpenVINO, and ONNX Runtime in float32 and with weights of eight bits (its dynamic
quantization), on the same windows of one length, in turns. All shapes are fixed, which is the best case for those that
compile. What is not installed is passed over, and said so.
"""

import argparse
import importlib.util
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any, Callable, Dict, List

import numpy as np
import torch
from speed_ours import get_shim

import spacy_luke_ja
from spacy_luke_ja.models.types import WindowBatch

PAUSE = 0.1  # seconds: the threads of the one before go on turning for a while
OPENVINO = "spacy-luke-ja.OpenVINOModel.v1"


def main() -> None:
    args = parse_arguments()
    warnings.simplefilter("ignore")
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    batch = WindowBatch(rng.integers(5, 30, args.windows * args.length), np.full(args.windows, args.length), pad_id=1)
    runners: Dict[str, Callable[[], Any]] = {}
    for name, make in MAKERS.items():
        missing = [module for module in NEEDS.get(name, ()) if importlib.util.find_spec(module) is None]
        if missing:
            print(f"{name}: {', '.join(missing)} is not installed, passed over")
            continue
        started = time.perf_counter()
        runners[name] = make(args, batch)
        runners[name]()
        print(f"{name}: ready after {time.perf_counter() - started:.1f} s", flush=True)
    seconds: Dict[str, List[float]] = {name: [] for name in runners}
    for _ in range(args.repeats):
        for name, run in runners.items():
            time.sleep(PAUSE)
            run()
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    first = median(seconds[next(iter(seconds))])
    for name, own in seconds.items():
        rate = args.windows * args.length / median(own)
        print(f"{name:26} {rate:9.0f} subwords/s, {first / median(own):.2f} times the first")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--checkpoint", default="ja_luke_ner_sm")
    parser.add_argument("--windows", type=int, default=16)
    parser.add_argument("--length", type=int, default=64, help="of each window, in subwords")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def load_shim(args: argparse.Namespace, **settings: Any) -> Any:
    nlp = spacy_luke_ja.blank()
    pipe: Any = nlp.add_pipe("luke_ner", config={"model": {"name": args.checkpoint, **settings}})
    pipe.load()
    return get_shim(nlp)


def as_it_is(precision: str, **settings: Any) -> Callable:
    def make(args: argparse.Namespace, batch: WindowBatch) -> Callable[[], Any]:
        shim = load_shim(args, precision=precision, **settings)
        return lambda: shim.infer(batch)

    return make


def compiled(precision: str) -> Callable:
    def make(args: argparse.Namespace, batch: WindowBatch) -> Callable[[], Any]:
        module = torch.compile(load_shim(args, precision=precision).module.eval())
        ids, lengths = torch.from_numpy(batch.ids), batch.lengths.tolist()

        def run() -> Any:
            with torch.inference_mode():
                return module(ids, lengths).float().numpy()

        return run

    return make


class FixedWindows(torch.nn.Module):
    def __init__(self, module: torch.nn.Module, lengths: List[int]):
        super().__init__()
        self.module = module
        self.lengths = lengths

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.module(ids, self.lengths)


def onnx_runtime(*, in_eight_bits: bool) -> Callable:
    def make(args: argparse.Namespace, batch: WindowBatch) -> Callable[[], Any]:
        import onnxruntime
        from onnxruntime.quantization import quantize_dynamic

        module = FixedWindows(load_shim(args, precision="float32").module.eval(), batch.lengths.tolist())
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "model.onnx"
            torch.onnx.export(module, (torch.from_numpy(batch.ids),), path, input_names=["ids"], external_data=False)
            if in_eight_bits:
                quantize_dynamic(path, path.with_name("int8.onnx"), per_channel=True)
                path = path.with_name("int8.onnx")
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = args.threads
            session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"ids": batch.ids})

    return make


MAKERS: Dict[str, Callable] = {
    "PyTorch bfloat16": as_it_is("bfloat16"),
    "PyTorch float32": as_it_is("float32"),
    "torch.compile bfloat16": compiled("bfloat16"),
    "torch.compile float32": compiled("float32"),
    "OpenVINO bfloat16": as_it_is("bfloat16", **{"@architectures": OPENVINO}),
    "OpenVINO int8": as_it_is("int8", **{"@architectures": OPENVINO}),
    "ONNX Runtime float32": onnx_runtime(in_eight_bits=False),
    "ONNX Runtime int8": onnx_runtime(in_eight_bits=True),
}
ONNX = ("onnx", "onnxruntime", "onnxscript")
NEEDS = {
    "OpenVINO bfloat16": ("openvino",), "OpenVINO int8": ("openvino",),
    "ONNX Runtime float32": ONNX, "ONNX Runtime int8": ONNX,
}  # fmt: skip


if __name__ == "__main__":
    main()
