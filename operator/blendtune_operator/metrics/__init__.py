"""All Prometheus series: of runs, evaluations and studies, and of the operator itself."""
