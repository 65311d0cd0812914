"""Work on several machines, by Ray. Needs the extra `cluster`.

- `open_cluster` joins a cluster, or starts one on this machine alone.
- `RayWorkers` plays the episodes of an evaluation there.
"""

from netsecgame.conductor.cluster import open_cluster
from netsecgame.conductor.ray_workers import RayWorkers

__all__ = ["RayWorkers", "open_cluster"]
