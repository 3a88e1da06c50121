import sys

from lavie.cli import main

sys.exit(main())
