"""``python -m dropseg_vos``, which is also what ``torchrun -m dropseg_vos train ...`` starts."""

import sys

from dropseg_vos.cli import main

sys.exit(main())
