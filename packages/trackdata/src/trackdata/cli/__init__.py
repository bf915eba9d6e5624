"""The ``trackdata`` command: generate video, evaluate trackers, write reports, list datasets.

Each verb is a dataclass whose fields are its flags and whose call does the work; ``--help`` imports nothing heavy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import tyro

from trackdata.cli.common import BAD_USAGE, FAILED, INTERRUPTED, UsageError
from trackdata.cli.compare import Compare
from trackdata.cli.datasets import Datasets
from trackdata.cli.evaluate import Evaluate, Report, tracker_options
from trackdata.cli.import_results import Import
from trackdata.cli.masks import Masks
from trackdata.cli.pack import Pack
from trackdata.cli.submit import Submit
from trackdata.cli.synth import Synth
from trackdata.cli.trax import Trax, VotInit
from trackdata.cli.verify import Verify
from trackdata.cli.vot import Vot

__all__ = ["COMMANDS", "UsageError", "main", "tracker_options"]

COMMANDS: dict[str, Callable[..., Any]] = {
    "synth": Synth,
    "evaluate": Evaluate,
    "report": Report,
    "compare": Compare,
    "import": Import,
    "datasets": Datasets,
    "masks": Masks,
    "pack": Pack,
    "submit": Submit,
    "trax": Trax,
    "verify": Verify,
    "vot": Vot,
    "vot-init": VotInit,
}


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line ``args`` (the process's own when None).

    Returns:
        0; 1 when something failed; 2 when the command line makes no sense.
    """
    try:
        command = tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="trackdata", args=args, description=__doc__)
    except SystemExit as stop:  # tyro has printed help or what is wrong
        return stop.code if isinstance(stop.code, int) else BAD_USAGE
    try:
        return command()
    except UsageError as error:
        print(f"trackdata: {error}", file=sys.stderr)
        return BAD_USAGE
    except (ValueError, OSError, RuntimeError) as error:  # what the library raises for input it cannot use
        print(f"trackdata: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("trackdata: interrupted; run the same command to go on", file=sys.stderr)
        return INTERRUPTED
