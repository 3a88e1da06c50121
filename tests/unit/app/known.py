"""A visitor of a public studio whose name is known."""

from app.visitors import Visitor, Visitors


class Known(Visitors):
    def __init__(self, name: str) -> None:
        super().__init__(is_public=True)
        self._name = name

    def visitor(self, request) -> Visitor:
        return Visitor(self._name)
