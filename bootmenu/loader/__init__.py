"""A request and a machine in, a load plan out. One module per architecture."""
