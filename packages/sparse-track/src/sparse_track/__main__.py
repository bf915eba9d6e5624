"""``python -m sparse_track``, which is also what ``torchrun -m sparse_track train ...`` starts."""

import sys

from sparse_track.cli import main

sys.exit(main())
