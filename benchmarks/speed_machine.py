"""The machine, the commit, and the memory of this process; from Linux' /proc where there is one."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Optional

ROOT = Path(__file__).parents[1]


def describe_machine(n_threads: int) -> Dict[str, Any]:
    """ "load": how many processes wanted to run in the last minute; near 0 where nothing ran beside the benchmark."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": find_commit(),
        "cpu": find_in_proc("cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": n_threads,
        "memory_mb": megabytes(find_in_proc("meminfo", "MemTotal")),
        "system": f"{platform.system()} {platform.release()}",
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def find_commit() -> str:
    """The commit, with "+ changes" where files are not as it has them; "" where git does not say."""
    try:
        commit, changes = git("rev-parse", "--short", "HEAD"), git("status", "--porcelain")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + (" + changes" if changes else "")


def git(*arguments: str) -> str:
    result = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    return result.stdout.strip()


def find_in_proc(name: str, key: str) -> Optional[str]:
    path = Path("/proc") / name
    lines = path.read_text(encoding="utf8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), None)


def megabytes(kibibytes: Optional[str]) -> Optional[float]:
    """kibibytes: as /proc writes them, "1024 kB"."""
    return int(kibibytes.split()[0]) * 1024 / 1e6 if kibibytes else None


def resident_mb() -> float:
    return megabytes(find_in_proc("self/status", "VmRSS")) or peak_mb()


def peak_mb() -> float:
    """Of this process alone; what getrusage says may be the parent's, and 0.0 is for who does not say (Windows)."""
    peak = megabytes(find_in_proc("self/status", "VmHWM"))
    if peak is None:
        try:
            import resource
        except ImportError:
            return 0.0
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return peak


def forget_peak() -> None:
    """Let the peak start anew from what is resident now, where the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass
