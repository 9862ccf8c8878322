"""`blendtune ui`: one page on loopback with all runs and studies, which changes as they do."""
