"""Block devices in, volumes out; and the facts of the machine that we run on.

``devices`` says what is there, ``mounts`` makes it readable, ``sources`` is both behind one
interface, for real devices and for directories that stand for them. ``writes`` is all that is ever
changed on one, and ``extents``, ``journals`` and ``jbd2`` are for knowing where, and whether.
"""
