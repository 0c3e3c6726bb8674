"""``python -m oneformer_lite.cli``, for where the command itself is not on the path."""

import sys

from . import main

if __name__ == "__main__":  # worker processes import this module as well
    sys.exit(main())
