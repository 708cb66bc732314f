"""Bytes of a kernel in, a described, decompressed image out. One module per format."""
