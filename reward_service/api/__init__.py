"""The HTTP door: limits, keys and the wire in front of the engine."""
