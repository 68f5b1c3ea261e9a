"""One thread for torch: its threads would wait for one another on a machine that is busy."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, and for processes started here
