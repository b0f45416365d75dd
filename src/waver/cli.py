"""The command ``waver``: one subcommand per task, each a module that is imported when it is called.

A command's module has ``main(arguments) -> int``, with its own parser; it raises a ``WaverError``
where the user has to act, and returns the exit status otherwise. A new command is a line in ``COMMANDS``.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence

from waver import __version__
from waver.errors import WaverError
from waver.workflow.environment import UMASK, close_network

COMMANDS = {
    "predict": ("waver.predict.run", "a trained model on new recordings: files, folders or a list"),
    "export": ("waver.predict.export", "what was predicted as files for ELAN, R, SPSS and Praat"),
    "import-review": ("waver.predict.import_review", "what people say of recordings against the predictions"),
    "doctor": ("waver.cluster.doctor", "is this machine or cluster suitable?"),
    "export-model": ("waver.predict.export_model", "a trained model as one folder to hand over, with its model card"),
    "forget": ("waver.withdrawal", "what was made of a participant who withdraws: list it, delete it"),
    "verify": (
        "waver.cluster.verify",
        "are stores, packs and files of runs as they were written? Reads every byte",
    ),
    "forecast": ("waver.cluster.forecast", "jobs, CPU-hours and disk of a run before it is submitted"),
}
"""Command -> its module, and its line in the list of commands."""

_OF_A_PATH = frozenset(
    {
        errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT,
        errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP,
    }
)  # fmt: skip
"""What a path that the user gave can be wrong by."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; none opens a connection to another computer, or writes for others.

    Args:
        arguments: those after the program's name; by default those of this process.

    Returns:
        The exit status: that of the command, or 1 after its one sentence on standard error.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.command is None:
        parser.error(f"name a command: {', '.join(COMMANDS)}")
    module, _ = COMMANDS[given.command]
    close_network()
    os.umask(UMASK)
    try:
        return int(importlib.import_module(module).main(given.arguments))
    except WaverError as error:
        sys.stderr.write(f"waver {given.command}: {error}\n")
        return 1
    except OSError as error:
        if error.errno not in _OF_A_PATH or error.filename is None:
            raise
        what = f"{error.filename} cannot be read or written ({error.strerror})"
        sys.stderr.write(f"waver {given.command}: {what}; give another path, or mend this one\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {what}" for name, (_, what) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="waver",
        usage="waver [--help | --version] <command> [<options>]",
        description="Ambivalence/hesitancy recognition from question-and-answer videos.",
        epilog=f"commands:\n{listed}\n\noptions of a command: waver <command> --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"waver {__version__}")
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="command", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser
