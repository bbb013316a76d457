"""``python -m arcgrad`` is the command ``arcgrad``."""

import sys

from arcgrad.cli import main

sys.exit(main())
