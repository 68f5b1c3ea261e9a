"""From a bare machine to a running environment, before anything is installed: stdlib only."""
