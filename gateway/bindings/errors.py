"""Why a binding can't be made, changed or found. The API turns each into its result code (section 13)."""

from __future__ import annotations

from gateway.numbers import PhoneNumber


class BindingError(Exception):
    """Base of what follows: the customer's mistake or bad luck, not ours."""


class NumberNotOwned(BindingError):
    """X does not belong to the application."""


class NoFreeNumber(BindingError):
    """No X is free, or the X asked for is full."""


class TooManyNumbers(BindingError):
    """AX: A has its five X."""


class AlreadyBound(BindingError):
    """AXB: ``number`` is in a live pair on this X."""

    def __init__(self, number: PhoneNumber) -> None:
        super().__init__("a number is bound on this X already")
        self.number = number


class BoundToAnother(BindingError):
    """AX: X is bound to another A."""


class PairExists(BindingError):
    """AX: this A is bound to this X already."""


class NotBound(BindingError):
    """Nothing is bound on this X."""


class NoFreeExtension(BindingError):
    """AXE: the wanted extension is taken, or all are."""


class BindingNotFound(BindingError):
    """No live binding of that id or those numbers."""


class NumberBlacklisted(BindingError):
    """X takes no binding: it was complained about or is not in order."""


class NoLimit(BindingError):
    """A last-minute tone for a call that has no longest duration."""


class SameNumber(BindingError):
    """Two of A, B, X and the callee are the same number."""
