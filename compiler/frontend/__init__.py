"""From a syntax tree to the typed, interned graph of operators: definitions expanded, types inferred."""
