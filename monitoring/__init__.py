"""The Grafana dashboards, written as what they show."""
