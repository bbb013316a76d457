"""Functions → machine code, kept on disk: the only room that knows numba's insides."""
