"""One measured figure, beside that of a peer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """*value* in *unit*; *peer* is what else was measured, giving *peer_value*."""

    bench: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None

    def as_json(self) -> dict[str, object]:
        """The line to print, with the ratio of the two values."""
        ratio = round(self.value / self.peer_value, 3) if self.peer_value else None
        return {
            "bench": self.bench,
            "value": round(self.value, 3),
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": None if self.peer_value is None else round(self.peer_value, 3),
            "ratio": ratio,
        }
