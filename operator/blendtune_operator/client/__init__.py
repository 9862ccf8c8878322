"""What a person's commands do at a cluster, with the rights of their own kubeconfig."""
