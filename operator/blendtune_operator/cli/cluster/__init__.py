"""The commands that speak to a cluster, with the rights of the user's own kubeconfig."""
