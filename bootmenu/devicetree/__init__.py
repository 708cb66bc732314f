"""Read, edit, overlay and write device trees. The only room that knows fdt and libfdt."""
