"""``python -m alpha_refine``, which is also what ``torchrun -m alpha_refine train ...`` starts."""

import sys

from alpha_refine.cli import main

sys.exit(main())
