"""`python -m tests.e2e -m tests.e2e.interactive`: keeps a cluster up until it is interrupted.

Enter it by: nsenter --all --target PID, with the PID of the innermost process of that name.
"""

from __future__ import annotations

import signal

from tests.e2e import cluster, release, training_operator
from tests.e2e.layout import state


def main() -> None:
    folder = state()
    if folder is None:
        raise SystemExit("Run it by: python -m tests.e2e -m tests.e2e.interactive")
    with cluster.running(folder) as running:
        training_operator.install(running)
        release.install(running)
        print(f"KUBECONFIG={running.credentials.kubeconfig('admin')}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
