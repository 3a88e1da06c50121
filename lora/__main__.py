"""``python -m lora``: the commands about personal LoRAs."""

import sys

from lavie.cli.lora import main

sys.exit(main())
