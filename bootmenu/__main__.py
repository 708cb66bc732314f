"""``python -m bootmenu``: the command."""

import sys

from bootmenu.cli import main

sys.exit(main())
