"""What operators are called elsewhere: in OpenFst, Pynini and Thrax, k2, GTN and Vcsn, and in numerical libraries."""

from __future__ import annotations

__all__ = ["neighbours_word"]

# How we write it, or what to say: the words for it, without underscores and OpenFst's prefix.
_WORDS = {
    "`det[A]`": "determinize determinise determinization",
    "`rmeps[A]`": "rmepsilon removeepsilon epsremove epsilonremoval rmepsilons epsnormalize proper",
    "`minimize[A]`": "minimise minimal minimized",
    "`connect[A]`": "trim trimmed accessible coaccessible",
    "`push[A]`": "pushweights pushing reweight normalize normalise",
    "`topsort[A]`": "topologicalsort statesort toposort",
    "`prune[A, 8]`": "pruned beamprune",
    "`synchronize[A]`": "synchronise synchronized",
    "`replace[R, 1: A]`": "replaced substitute pdtreplace",
    "`in[A]` or `out[A]`": "project projection proj",
    "`in[A]`": "projectinput inputprojection domain input projin ilabels",
    "`out[A]`": "projectoutput outputprojection range image output projout olabels",
    "`A⁻¹`": "invert inverse inversion transpose",
    "`rev[A]`": "reverse reversed reversal",
    "`A ∘ B`": "compose composed composition comp",
    "`A ∩ B`": "intersect intersection intersected conjunction",
    "`A + B`": "union add plus sum disjunction alt",
    "`A - B`": "difference diff setminus subtract minus",
    "`A B`": "concat concatenate concatenation product multiply times cat",
    "`A : B`": "cross crossproduct transducer stringmap",
    "`A*`": "closure star kleene kleenestar kleeneclosure closurestar",
    "`A⁺`": "closureplus oneormore kleeneplus",
    "`A?`": "optional ques closureques zeroorone maybe option",
    "`A{2,5}`": "repeat power pow",
    "`A⟨w⟩`": "weight weighted scale",
    "`rewrite[τ, λ, ρ, Σ]`": "cdrewrite contextdependentrewrite rewriterule",
    "`relabel[A, m]`": "replacelabels map labelmap",
    "`LSE[A]`": "logsumexp forward forwardscore totalweight totalscore totscores gettotscores shortestdistance "
    "logpartition logz partition logsum sumpaths evalpaths logprob",
    "`MAX[A]`": "viterbi viterbiscore forwardmax maxscore bestscore tropical",
    "`PATH[A]`": "viterbipath shortestpath bestpath onebest argmax lightest best",
    "`NBEST[A, n]`": "nshortest nbestpaths kbest topk",
    "`SAMPLE[A, n, seed]`": "randgen random randompath samplepaths randequivalent",
    "`POST[A]`": "posterior posteriors marginals backward forwardbackward arcpost getarcpost",
    "`COUNT[A]`": "numpaths countpaths npaths cardinality size",
    "`H[A]`": "entropy",
    "`E[A, R]`": "expect expectation expected expectedvalue",
    "`KL[A, B]`": "kldivergence kldiv divergence relativeentropy",
    "`logadd[a, b]`": "logaddexp logplus",
    "`log[x]`": "ln log2 log10 log1p",
    "`max[a, b]`": "maximum amax",
    "`min[a, b]`": "minimum amin",
    "`linear[1, 7, 3]`": "chain path1 string sequence lineargraph makechain",
    '`"abc"`': "acceptor accep accept text fromstring",
    "`∅`": "emptyset none fail zero",
    "`ε`": "epsilon one lambda emptystring",
}
_REMARKS = {
    "an equation is optimised as it is compiled; `rmeps[A]`, `det[A]` and `minimize[A]` are there for what is shown":
        "optimize optimise optimized simplify",
    "arcs need no order here; leave it out": "arcsort sort sortarcs",
    "there is no such operator; give the graph as an input":
        "stringfile loadfst encode decode disambiguate complement",
}  # fmt: skip
_KNOWN = {
    word: answer
    for table, form in ((_WORDS, "here it is {}"), (_REMARKS, "{}"))
    for words, answer in ((words, form.format(key)) for key, words in table.items())
    for word in words.split()
}


def neighbours_word(name: str) -> str | None:
    """The hint for an operator's name that other toolkits know, None where it is not one.

    Example:
        >>> from arcgrad.compiler.frontend.neighbours import neighbours_word
        >>> neighbours_word("fstrmepsilon")
        'here it is `rmeps[A]`'
    """
    word = name.replace("_", "").casefold()
    return _KNOWN.get(word) or _KNOWN.get(word.removeprefix("fst").removeprefix("f"))
