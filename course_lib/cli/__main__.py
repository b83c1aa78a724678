"""The kit's own commands, which complement nbgrader's."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = {
    "init": "make a new course folder",
    "adopt": "let the kit grade an existing nbgrader course",
    "new": "add a small working assignment to the course",
    "harden": "draft hidden tests for grade cells that have none",
    "check": "try an assignment without students",
    "doctor": "check this machine and this course; say how to fix what is wrong",
    "appeal": "grade one submission again; show what each hidden test asked and what came back",
    "cache": "show the size of the result cache, or empty it",
    "demo": "make a course with a demo class and grade it",
}
"""The summary of each command, by its name. The module of the same name has its ``add_arguments`` and ``run``."""

EPILOG = """'course COMMAND --help' says more about a command.

Releasing and grading are commands of nbgrader: nbgrader generate_assignment, autograde, formgrader, generate_feedback,
export."""


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of a command line. It imports only the modules of commands that ``arguments`` name."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("course", description=__doc__, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, formatter_class=raw)
        if name in arguments:
            module = import_module(f".{name}", __package__)
            command.description = module.__doc__
            module.add_arguments(command)
    return parser


def main() -> None:
    """Run the command that the command line names."""
    parser = _parser(sys.argv[1:])
    arguments = parser.parse_args()
    if arguments.command is None:
        parser.print_help()
        return
    try:
        import_module(f".{arguments.command}", __package__).run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has ended; Python must not flush to it when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if arguments.debug:
            raise
        sys.exit(f"course {arguments.command}: {type(error).__name__}: {error}".replace("\n", " "))


if __name__ == "__main__":
    main()
