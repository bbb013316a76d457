"""An independent oracle for arcgrad: naive graphs, path sums, expression trees, random cases; Python and numpy only.

It shares no code with arcgrad, so that a test which compares the two compares two readings of the language's rules;
``support.random_graphs`` draws its leaves, and ``support.adapter`` runs its cases through arcgrad.
Read in this order: graphs (constructions), paths (reductions), leaves and trees (what a case is made of), evaluate,
relations (what graphs mean, without graphs), cases (the random generator).
"""
