"""What on a machine would make any kexec fail, and the remedy: ``bootmenu doctor``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from bootmenu.loader.preflight.examination import diagnose
from bootmenu.model import Finding, Machine, Severity

SCHEMA = "bootmenu.doctor/1"
_ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found on a machine, the worst first."""

    findings: tuple[Finding, ...]

    @property
    def fails(self) -> bool:
        """Whether kexec would fail there."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def text(self, width: int = 80) -> str:
        """As lines of at most *width* columns."""
        return "\n".join([*self._lines(width), self._summary()])

    def _lines(self, width: int) -> Iterator[str]:
        for finding in self.findings:
            yield from textwrap.wrap(
                f"{finding.severity}: {finding.message}", width, subsequent_indent="  "
            )
            for label, text in (("cause", finding.cause), ("remedy", finding.remedy)):
                if text:
                    yield from textwrap.wrap(f"  {label}: {text}", width, subsequent_indent="    ")
            yield ""

    def _summary(self) -> str:
        if not self.findings:
            return "Nothing on this machine is known to make kexec fail."
        if self.fails:
            return "kexec would fail on this machine."
        return "kexec is expected to work on this machine, but for what is said above."

    def json(self) -> str:
        """As one JSON object."""
        findings = [asdict(finding) for finding in self.findings]
        return json.dumps({"schema": SCHEMA, "fails": self.fails, "findings": findings}, indent=2)


def examine(machine: Machine) -> Diagnosis:
    """What stands in the way of every kexec on *machine*."""
    return Diagnosis(tuple(sorted(diagnose(machine), key=lambda one: _ORDER.index(one.severity))))
