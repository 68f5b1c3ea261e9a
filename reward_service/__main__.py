"""Entry of the `rulegrade` command."""

import sys


def main() -> int:
    """Run the command line, or say what to install where only the client is."""
    try:
        from reward_service.cli import run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(("reward_service", "sandbox")):
            raise
        print(
            f"rulegrade: {error.name} is missing: this is the client alone. "
            "The service needs: pip install 'rulegrade[server]'",
            file=sys.stderr,
        )
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
