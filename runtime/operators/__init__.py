"""Compiled twins of operators: a file here has the name and signature of the one in compiler/operators that it speeds up."""
