"""The ``onestream-track`` command: a table of verbs, and what is said when one fails.

``--help`` imports no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

PROGRAM = "onestream-track"
FINISHED, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

# Each verb is the module of that name in onestream_track.commands.
VERBS = {
    "train": "train a tracker",
    "track": "follow one or several targets through a video",
    "evaluate": "score a tracker over a dataset",
    "export": "write a tracker for ONNX Runtime or OpenVINO, compared with PyTorch",
    "profile": "count parameters, multiply-adds and time of a tracker",
    "recipes": "list the recipes",
}

_EXTRAS = {
    "trackdata": "onestream-track[train]",
    "accelerate": "onestream-track[train]",
    "onnx": "trackcore[export]",
    "onnxscript": "trackcore[export]",
    "onnxruntime": "trackcore[export]",
    "openvino": "trackcore[export]",
}


class UsageError(ValueError):
    """The command line asks for something that cannot be; the message says what to change."""


def usage() -> str:
    """What ``--help`` prints."""
    width = max(map(len, VERBS))
    listed = "\n".join(f"  {verb:<{width}}  {summary}" for verb, summary in VERBS.items())
    return (
        f"usage: {PROGRAM} {{{','.join(VERBS)}}} ...\n\n{listed}\n\n"
        f"`{PROGRAM} VERB --help` lists the options (for train: `{PROGRAM} train RECIPE --help`)."
    )


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line ``args`` (the process's own when None).

    Returns:
        0; 1 when something failed; 2 when the command line makes no sense; 130 when it was interrupted.
    """
    words = list(sys.argv[1:] if args is None else args)
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return FINISHED if words else BAD_USAGE
    verb, *rest = words
    try:
        if verb not in VERBS:
            raise UsageError(f"no verb {verb!r} (known: {', '.join(VERBS)})")
        return import_module(f"onestream_track.commands.{verb}").run(rest)
    except SystemExit as stop:  # tyro has printed help or what is wrong
        return stop.code if isinstance(stop.code, int) else BAD_USAGE
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except UsageError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return BAD_USAGE
    except ImportError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        print(f"{PROGRAM}: this needs {error.name}: pip install '{extra}'", file=sys.stderr)
        return FAILED
    except (ValueError, OSError, RuntimeError) as error:  # what the library raises for input it cannot use
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return FAILED
