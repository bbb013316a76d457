"""Compiled twins of operators: a file has name and signature of the one in compiler/operators that it speeds up."""
