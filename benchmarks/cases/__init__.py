"""The cases by name, in the order in which they run. A case is a function from a Setting to a Case; add it here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.case import Case, Setting
from benchmarks.cases.best_paths import path_lexicon, path_long, path_symbols
from benchmarks.cases.composition import lexicon_composition, random_composition
from benchmarks.cases.crf import linear_chain
from benchmarks.cases.ctc import LARGE, LONG, MEDIUM, MEDIUM_300, SMALL, composed_ctc, ctc, ctc_loss
from benchmarks.cases.cyclic import band, sparse_chain
from benchmarks.cases.eager import torch_call
from benchmarks.cases.label_models import backoff_bigram, backoff_trigram, dense_bigram, dense_trigram
from benchmarks.cases.lattices import best_path, best_paths, lattice_score
from benchmarks.cases.second import crf_product, lattice_product
from benchmarks.cases.sets import set_of_walks, set_of_words
from benchmarks.cases.tiny import jax_loop, tiny_batch, tiny_gradient, tiny_value
from benchmarks.cases.transforms import determinization, epsilon_removal, minimization, pruning, pushing

__all__ = ["CASES"]

# name → (what it is, how to make it)
CASES: dict[str, tuple[str, Callable[[Setting], Case]]] = {
    "ctc-small": ("CTC, B=8 T=500 C=64, 50 labels, new targets", partial(ctc, SMALL)),
    "ctc-medium": ("CTC, B=4 T=1000 C=1000, 100 labels, new targets", partial(ctc, MEDIUM)),
    "ctc-large": ("CTC, B=16 T=400 C=5000, 80 labels, new targets", partial(ctc, LARGE)),
    "ctc-small-same": ("the same, always the same targets", partial(ctc, SMALL, new_targets=False)),
    "ctc-medium-same": ("the same, always the same targets", partial(ctc, MEDIUM, new_targets=False)),
    "ctc-large-same": ("the same, always the same targets", partial(ctc, LARGE, new_targets=False)),
    "ctc-small-blanks": ("CTC, small, blanks dominate", partial(ctc, SMALL, blank_bonus=25.0)),
    "ctc-medium-blanks": ("CTC, medium, blanks dominate", partial(ctc, MEDIUM, blank_bonus=25.0)),
    "ctc-large-blanks": ("CTC, large, blanks dominate", partial(ctc, LARGE, blank_bonus=25.0)),
    "ctc-300-blanks": (
        "CTC, B=4 T=1000 C=1000, 300 labels, blanks dominate",
        partial(ctc, MEDIUM_300, blank_bonus=25.0),
    ),
    "torch-ctc-small": ("ag.torch.ctc_loss, B=8 T=500 C=64, 50 labels", partial(ctc_loss, SMALL)),
    "torch-ctc-medium": ("ag.torch.ctc_loss, B=4 T=1000 C=1000, 100 labels", partial(ctc_loss, MEDIUM)),
    "torch-ctc-large": ("ag.torch.ctc_loss, B=16 T=400 C=5000, 80 labels", partial(ctc_loss, LARGE)),
    "torch-ctc-small-blanks": ("ag.torch.ctc_loss, small, blanks dominate", partial(ctc_loss, SMALL, blank_bonus=25.0)),
    "torch-ctc-medium-blanks": (
        "ag.torch.ctc_loss, medium, blanks dominate",
        partial(ctc_loss, MEDIUM, blank_bonus=25.0),
    ),
    "torch-ctc-large-blanks": ("ag.torch.ctc_loss, large, blanks dominate", partial(ctc_loss, LARGE, blank_bonus=25.0)),
    "torch-ctc-small-logits": ("the same from logits, small", partial(ctc_loss, SMALL, from_logits=True)),
    "torch-ctc-medium-logits": ("the same from logits, medium", partial(ctc_loss, MEDIUM, from_logits=True)),
    "torch-ctc-large-logits": ("the same from logits, large", partial(ctc_loss, LARGE, from_logits=True)),
    "ctc-composed": ("CTC, small, the alignments composed: X ∘ (T ∘ Y)", composed_ctc),
    "ctc-long": ("CTC, B=1 T=100,000 C=100, 200 labels", partial(ctc, LONG)),
    "crf": ("linear-chain CRF, B=16 T=200, 64 tags", linear_chain),
    "trigram-dense": ("dense 3-gram, 784 states 21,952 arcs, T=200", dense_trigram),
    "trigram-backoff": ("back-off 3-gram, 429 states 3,856 arcs, B=2 T=200", backoff_trigram),
    "bigram": ("dense bigram, 28 states 784 arcs, B=4 T=200", dense_bigram),
    "bigram-backoff": ("back-off bigram, 29 states 456 arcs, B=4 T=200", backoff_bigram),
    "lattice": ("stored lattice, 1 M arcs, score and gradient", lattice_score),
    "best-path": ("best path of that lattice", best_path),
    "nbest-10": ("10 best paths of a lattice of 100 k arcs", partial(best_paths, n=10, n_states=10_001)),
    "nbest-1000": ("1,000 best paths of that lattice", partial(best_paths, n=1000, n_states=10_001)),
    "nbest-10-large": ("10 best paths of a lattice of 1 M arcs", partial(best_paths, n=10, n_states=100_001)),
    "nbest-1000-large": ("1,000 best paths of a lattice of 300 k arcs", partial(best_paths, n=1000, n_states=30_001)),
    "lattice-hvp": ("that lattice's Hessian times a vector, beside the gradient", lattice_product),
    "crf-hvp": ("that CRF's Hessian times a vector, in float64, beside the gradient", crf_product),
    "cyclic-chain": ("sparse Markov chain, 3,000 states 18,000 arcs, score and gradient", sparse_chain),
    "cyclic-band": ("cyclic band, 20,000 states 120,000 arcs, score and gradient", band),
    "path-symbols": ("best alignment, T=3,000 C=500, 200 labels: PATH beside MAX", path_symbols),
    "path-lexicon": ("best words, T=150, a lexicon of 2,000: PATH beside MAX", path_lexicon),
    "path-long": ("best alignment, T=100,000 C=201, 200 labels: PATH beside MAX", path_long),
    "compose-random": ("two random transducers, 1,000 states each", random_composition),
    "compose-lexicon": ("cmudict lexicon with a bigram graph over 1,000 words", lexicon_composition),
    "support-words": ("15,000 words as a set, 100,000 arcs", set_of_words),
    "support-walks": ("random graph of 100,000 arcs as a set, cycles and ε", set_of_walks),
    "rmeps": ("ε-removal, 1 M arcs, one in twenty ε", epsilon_removal),
    "det-random": ("determinisation, a random acyclic graph of 1 M arcs", determinization),
    "det-lattice": ("determinisation, a lattice of 1 M arcs", partial(determinization, layered=True)),
    "minimize": ("minimisation, a deterministic lattice of 1 M arcs", minimization),
    "push": ("weights pushed towards the start, 1 M arcs", pushing),
    "prune": ("what is within 5 nats of the best path, 1 M arcs", pruning),
    "tiny-value": ("10 arcs, value", tiny_value),
    "tiny-gradient": ("10 arcs, value and gradient", tiny_gradient),
    "jax-loop": ("100 times 5 frames and 12 arcs in a loop of XLA's, beside the routine from Python", jax_loop),
    "tiny-batch": ("batch of 8 tiny graphs, value and gradient", tiny_batch),
    "torch-forward": (
        "10 arcs, ag.torch's forward pass, with the gradient",
        partial(torch_call, backward=False),
    ),
    "torch-gradient": ("the same and its backward pass", partial(torch_call, backward=True)),
}
