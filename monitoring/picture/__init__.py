"""Pictures of the dashboards: the panels' own queries, answered by a Prometheus, drawn as Grafana would."""
