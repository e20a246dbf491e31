"""Which device and precision a model runs in, and what belongs to a device: its random numbers, arrays sent to it."""

import contextlib
from functools import cache
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np
import torch
from thinc.api import get_torch_default_device

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(setting: str) -> torch.device:
    """Read the setting device; "auto" and "cuda" are what is current in this thread."""
    if setting == "auto":
        return get_torch_default_device()
    try:
        device = torch.device(setting)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type == "meta":
        raise ValueError(f'device must be "auto", "cpu", "cuda", "cuda:1", "mps" or the like, got {setting!r}')
    if device.type == "cuda" and device.index is None and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu") if device.type == "cpu" else device


def check_device(device: torch.device) -> None:
    """Raise a ValueError for a device that this machine lacks."""
    if device.type != "cpu":
        kind = getattr(torch, device.type, None)
        n_devices = kind.device_count() if kind is not None and hasattr(kind, "device_count") else 0
        if (device.index or 0) >= n_devices:
            raise ValueError(
                f"device is {device}, and PyTorch finds {n_devices} devices of this kind on this machine; "
                'set device to "auto" or "cpu"'
            )


def torch_device(device_type: str, device_id: int) -> torch.device:
    """The device of thinc's ops."""
    if device_type == "gpu":
        return torch.device("cuda", device_id)
    return torch.device(device_type)


def device_of(ops: Any) -> torch.device:
    return torch_device(ops.device_type, ops.device_id)


def send(array: Optional[np.ndarray], device: torch.device) -> Any:
    """A tensor on the device, for a GPU without waiting; None stays None."""
    if array is None:
        return None
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The type to run in; "auto" is bfloat16 where this processor or GPU multiplies it in hardware."""
    if precision != "auto":
        return PRECISIONS[precision]
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.get_device_capability(device)[0] >= 8
    else:
        has_bfloat16 = device.type == "cpu" and cpu_has_bfloat16()
    return torch.bfloat16 if has_bfloat16 else torch.float32


def cpu_has_bfloat16() -> bool:
    return has_amx() or bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


@cache
def has_amx() -> bool:
    return bool(getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


RandomState = Tuple[torch.Tensor, Optional[torch.Tensor]]


def get_random_state(device: torch.device) -> RandomState:
    """Where the random numbers of the processor and of a device stand."""
    on_device = None if device.type == "cpu" else getattr(torch, device.type).get_rng_state(*index_of(device))
    return torch.get_rng_state(), on_device


def set_random_state(state: RandomState, device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        getattr(torch, device.type).set_rng_state(state[1], *index_of(device))


@contextlib.contextmanager
def random_state(state: RandomState, device: torch.device) -> Iterator[None]:
    """Draw the random numbers that followed a state; then go on as if none had been drawn."""
    before = get_random_state(device)
    set_random_state(state, device)
    try:
        yield
    finally:
        set_random_state(before, device)


def index_of(device: torch.device) -> List[torch.device]:
    """The argument that names one of several devices; of "mps" there is one."""
    return [] if device.index is None else [device]
