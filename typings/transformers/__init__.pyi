# Its annotations are too loose to check against (results that may be tuples, settings that are
# dictionaries of Any), so pyright takes its public names as Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
