"""A worker process: hosts its share of the games; started by `workers`.

Standard input brings its plan, and stays open as long as the parent lives. Standard output takes
one `Report`, when the games listen or cannot.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from dataclasses import replace

import msgspec

from netsecgame.game.event_loop import run
from netsecgame.game.hosting.descriptors import allow_many_connections
from netsecgame.game.hosting.failures import EXIT_OK, FAILURES, describe_failure, exit_status_of
from netsecgame.game.hosting.garbage import collect_seldom
from netsecgame.game.hosting.host import GameHost
from netsecgame.game.hosting.log_files import LOG_NAME, set_up_log, worker_dir
from netsecgame.game.hosting.plan import HostPlan


class Report(msgspec.Struct):
    """How the start of a worker went.

    Attributes:
        ports: Where its games listen, by number.
        failure: Why they cannot; "" if they can.
    """

    ports: dict[int, int] = {}
    failure: str = ""


def main() -> int:
    """Host what standard input says until told to stop; returns the exit status."""
    plan = pickle.load(sys.stdin.buffer)
    assert isinstance(plan, HostPlan)
    assert plan.worker is not None
    reports = os.dup(sys.stdout.fileno())
    # What a world prints must not get between the reports.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def report(ports: dict[int, int], failure: str = "") -> None:
        with contextlib.suppress(OSError):  # a parent that is gone has closed standard input too
            os.write(reports, msgspec.json.encode(Report(ports, failure)) + b"\n")
        collect_seldom()

    set_up_log(plan.log_level, worker_dir(plan.worker) / LOG_NAME)
    allow_many_connections()
    try:
        run(GameHost(replace(plan, stops_with_stdin=True)).run(report), plan.loop)
    except FAILURES as error:
        report({}, describe_failure(error))
        return exit_status_of(error)
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
