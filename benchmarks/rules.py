"""
How good and how fast the format and language rules are, on the cases in tests/data.

    python -m benchmarks.rules                 # our figures
    python -m benchmarks.rules --peers PYTHON  # beside TRL's, verl's and open-r1's functions

PYTHON is an interpreter of an environment of its own, made with
`python -m venv DIR && DIR/bin/pip install --no-deps trl verl`. Times are CPU seconds of this
process, so a busy machine does not change them much; they are never pass or fail.
"""

import argparse
import resource

from benchmarks.rules_cases import read
from benchmarks.rules_format import show_format, show_peers, show_spam
from benchmarks.rules_language import show_language, show_speed


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="Python of an environment with trl and verl")
    peers = parser.parse_args().peers
    show_format()
    show_spam()
    if peers is not None:
        show_peers(peers)
    show_language("tests/data/language.jsonl", read("language.jsonl"))
    show_language("tests/data/language_mixes.jsonl", read("language_mixes.jsonl"))
    show_speed()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nPeak memory of this process: {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
