"""Rules that score a completion. To add one: write its module, add its class to `VERIFIERS`."""
