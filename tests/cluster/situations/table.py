"""What may keep a run from going on, and what its user then sees: the list of docs/situations.md.

Each is made on a real API server by what the components of a cluster write there (`steps`), and what is shown
is compared word by word (`tests/cluster/test_situations.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.cluster.situations.containers import CONTAINERS
from tests.cluster.situations.gangs import GANGS
from tests.cluster.situations.images import IMAGES
from tests.cluster.situations.missing import MISSING
from tests.cluster.situations.nodes import NODES
from tests.cluster.situations.own import OWN
from tests.cluster.situations.queues import QUEUES
from tests.cluster.situations.refused import REFUSED
from tests.cluster.situations.situation import Situation
from tests.cluster.situations.volumes import VOLUMES

GROUPS = (MISSING, VOLUMES, IMAGES, CONTAINERS, NODES, REFUSED, GANGS, QUEUES, OWN)


def situations() -> Iterator[Situation]:
    return (situation for group in GROUPS for situation in group.situations)
