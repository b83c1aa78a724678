"""The kit's own commands, beside nbgrader's."""

import os
import sys
from importlib import import_module

COMMANDS = {
    "doctor": "look over this machine and this course: what is fine, what is not, how to mend it",
    "new": "make a new assignment to start from: source notebook and hidden tests",
    "appeal": "grade one submission again and show what each hidden test asked and what came back",
    "cache": "say how much the result cache holds, or empty it",
    "demo": "make a course with a demo class, and grade it",
}
"""By the name of the command, which is that of its module."""

HELP = """usage: course [--debug] COMMAND ...

{commands}

'course COMMAND --help' says more. --debug shows where an error comes from.
Grading itself is nbgrader's: generate_assignment, autograde, formgrader, generate_feedback, export."""


def main() -> None:
    """Run one of the commands."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments[:1]
    arguments = arguments[debug:]
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, COMMANDS))
        print(HELP.format(commands="\n".join(f"  {name:{width}}  {says}" for name, says in COMMANDS.items())))
        return
    name, *rest = arguments
    if name not in COMMANDS:
        sys.exit(f"course: there is no command '{name}'. There are: {', '.join(COMMANDS)}.")
    sys.argv = [f"course {name}", *rest]
    try:
        import_module(f".{name}", __package__).main()
        sys.stdout.flush()
    except BrokenPipeError:  # `| head`: nobody reads on, and Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        sys.exit(f"course {name}: {type(error).__name__}: {error}".replace("\n", " "))


if __name__ == "__main__":
    main()
