"""The readable PyTorch GRPO trainer; it reaches the service over HTTP only."""
