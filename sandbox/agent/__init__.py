"""
What runs inside a sandbox container: standard library only, and `jail.c`.

The outside imports `frames` alone, so that both ends of the wire are one piece of code.
"""
