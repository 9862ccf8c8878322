"""The embedded cluster: plan and render as in Kubernetes, with pods run as processes of this machine."""
