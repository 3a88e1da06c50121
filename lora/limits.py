"""What may be asked of LoRAs, so that a page and a program check the same.

Nothing heavy is imported here.
"""

import re

MAX_PICTURES = 100
"""That a training learns from."""

MAX_WEIGHT = 4.0
"""Of a LoRA in use, also less than nothing; 1 is as trained."""

TRIGGER_WORD = re.compile(r"[a-z][a-z0-9]{1,31}")
