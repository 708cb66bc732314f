"""The parts of a screen, each one widget that renders its own lines."""
