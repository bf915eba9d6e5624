"""``python -m onestream_track``, which is also what ``torchrun -m onestream_track train ...`` starts."""

import sys

from onestream_track.cli import main

sys.exit(main())
