"""What a host without a container engine needs in its place: a root, a box, a cgroup for a slot."""
