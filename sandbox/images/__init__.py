"""The container images, and how they are built."""
