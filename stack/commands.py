"""The command line of the local stack."""

import argparse
import sys

from stack import checks, mutation, postgres, run, staff
from stack.errors import StackError


def main(arguments: list[str]) -> int:
    """Run one command and return the exit status. Errors are printed as one line, without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m stack", description="The local stack of MultiTask Payments.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start everything, play the stories, stay up")
    commands.add_parser("demo", help="start everything, play the stories, stop")
    commands.add_parser("code", help="show the current code of the staff login that `run` created")
    commands.add_parser("check", help="what `make check` runs")
    breaking = commands.add_parser("mutation", help="what `make mutation` runs")
    breaking.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(mutation.TARGETS)} (default: all)")
    database = commands.add_parser("postgres", help="start, stop, remove the embedded PostgreSQL, or print its address")
    database.add_argument("action", choices=["start", "stop", "url", "remove"])
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "check":
            return checks.run()
        if chosen.command == "code":
            return staff.show_code(postgres.data_folder())
        if chosen.command in {"run", "demo"}:
            return run.run(stays=chosen.command == "run")
        if chosen.command == "mutation":
            return mutation.run(chosen.targets)
        return _postgres(chosen.action)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _postgres(action: str) -> int:
    """Start the server and keep it running, stop it, print its address, or delete it with all its data."""
    server = postgres.development()
    if action == "start":
        server.start()
        server.keep(True)
        postgres.publish(server)
        print(f"PostgreSQL is running; {postgres.address_file()} holds its address")
    elif action == "url":
        print(server.url())
    elif action == "stop":
        server.stop()
        server.keep(False)
    else:
        postgres.tests().remove()
        postgres.benches().remove()
        server.remove()
    return 0
