"""Runs of annotate in processes that may be killed: python killed_runs.py MODEL, a run per line of stdin as JSON.

One process loads the model; each run is a fork of it. Prints the process of a run, and how it
ended: the exit code, or less than 0 for a signal. crash_at: the call to the system that the run dies before, from 1.
"""

import json
import os
import sys
from pathlib import Path

import torch

from spacy_luke_ja.annotation import work
from spacy_luke_ja.annotation.run import AnnotateSettings, annotate_files
from spacy_luke_ja.training.outputs import OutputRefused

DIES = 9


def die_at(n):
    """Let the process end, as by kill -9, before the nth change to a directory, or the nth fsync."""
    calls = 0

    def counting(function):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == n:
                os._exit(DIES)
            return function(*args, **kwargs)

        return call

    for name in ("replace", "fsync", "rename", "mkdir", "rmdir", "unlink"):
        setattr(os, name, counting(getattr(os, name)))
    for name in ("unlink", "rmdir", "mkdir"):
        setattr(Path, name, counting(getattr(Path, name)))


def main():
    torch.set_num_threads(1)  # a fork has no other
    nlp = work.load(work.PipelineSettings(sys.argv[1]))
    work.load = lambda settings: nlp
    print("ready", flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        process = os.fork()
        if process == 0:
            code = 1
            try:
                if task.get("crash_at"):
                    die_at(task["crash_at"])
                annotate_files(task["inputs"], Path(task["output"]), AnnotateSettings(**task["settings"]))
                code = 0
            except OutputRefused as error:
                print(error, file=sys.stderr)
                code = 2
            finally:
                os._exit(code)
        print(process, flush=True)
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        sys.stdin.readline()  # as long as nobody waits for it, its number is not given to another
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
