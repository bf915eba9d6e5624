"""``python -m dropmae_pretrain``, which is also what ``torchrun -m dropmae_pretrain train ...`` starts."""

import sys

from dropmae_pretrain.cli import main

sys.exit(main())
