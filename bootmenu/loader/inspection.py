"""What a file is, and whether it would boot here: ``bootmenu inspect``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bootmenu.devicetree.chosen import ENTROPY
from bootmenu.errors import BootmenuError
from bootmenu.images.inspect import Description
from bootmenu.images.inspect import inspect as describe
from bootmenu.loader.plan import prepare
from bootmenu.loader.preflight.findings import error
from bootmenu.model import FileSlice, Finding, Machine, Severity


@dataclass(frozen=True, slots=True)
class Inspection:
    """A file described, and what speaks against starting it on one machine."""

    description: Description
    findings: tuple[Finding, ...]

    @property
    def boots(self) -> bool:
        """Whether nothing is known that would keep it from starting."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    def text(self) -> str:
        """As lines."""
        lines = self.description.lines()
        if self.description.problem:
            lines.append("boots here   no")
            return "\n".join(lines)
        lines.append(f"boots here   {'yes' if self.boots else 'no'}")
        for finding in self.findings:
            cause = f" ({finding.cause})" if finding.cause else ""
            lines.append(f"{finding.severity:<12} {finding.message}{cause}")
            lines.append(f"{'hint':<12} {finding.remedy}")
        return "\n".join(lines)

    def json(self) -> str:
        """As one JSON object."""
        findings = [asdict(finding) for finding in self.findings]
        return json.dumps(
            {**self.description.data(), "boots_here": self.boots, "findings": findings}, indent=2
        )


def inspect(file: FileSlice, machine: Machine) -> Inspection:
    """Describe *file* and plan its start on *machine*, alone.

    Raises VolumeError when it cannot be read.
    """
    description = describe(file, machine.arch)
    try:
        plan = prepare(kernel=file, machine=machine, entropy=bytes(ENTROPY))
        return Inspection(description, plan.findings)
    except BootmenuError as refusal:
        return Inspection(description, (error(refusal.message, "", refusal.hint),))
