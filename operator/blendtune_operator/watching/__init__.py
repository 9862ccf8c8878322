"""From a change in the cluster to a reconcile: watches, cache, work queue, controller, Lease and probes."""
