// Examples to start from. Each is a state of the page: equation, inputs, symbols.

export const EXAMPLES = [
  {
    name: "Two strings, one score",
    state: { e: 'LSE[("cat" + "car") ∘ X]', i: { X: { t: '"c" ("a"⟨-0.2⟩ + "o"⟨-1.7⟩) ("t"⟨-0.5⟩ + "r"⟨-1.5⟩ + "n"⟨-1.7⟩)' } } },
  },
  {
    name: "The textbook's LSE[(A1 + A2) ∘ X*]",
    state: {
      e: "LSE[(A1 + A2) ∘ X*]",
      i: { A1: { t: '"ab"⟨0.5⟩' }, A2: { t: '"ba"⟨-0.5⟩' }, X: { t: '"a"⟨-1⟩ + "b"⟨-0.5⟩' } },
      v: "computation",
    },
  },
  {
    name: "CTC: a network's scores and a target",
    state: {
      e: 'blank = "_"\nY = blank* "a"⁺ blank* "b"⁺ blank*\nLSE[X] - LSE[X ∘ Y]',
      i: { X: { t: "0.2 1.5 0.1\n0.9 0.8 0.2\n1.4 0.1 0.6\n0.1 0.2 1.9", f: "scores" } },
      s: "_ 0\na 1\nb 2",
      v: "gradient",
    },
  },
  {
    name: "A regular expression's language",
    state: { e: 're"(cat|dog)s?"', i: {} },
  },
  {
    name: "Edit distance: the best alignment",
    state: {
      e: 'edit = (same + ins + del + sub)*\nPATH["kitten" ∘ edit ∘ "sitting"]',
      i: {
        same: { t: '"e" + "g" + "i" + "k" + "n" + "s" + "t"' },
        ins: { t: '(ε : ("e" + "g" + "i" + "s"))⟨-1⟩' },
        del: { t: '(("e" + "k" + "i" + "n") : ε)⟨-1⟩' },
        sub: { t: '(("k" + "e" + "t") : ("s" + "i" + "g"))⟨-1⟩' },
      },
    },
  },
  {
    name: "The three best paths",
    state: { e: "NBEST[A, 3]", i: { A: { t: '("a"⟨0.5⟩ + "b"⟨0.3⟩) ("c"⟨1⟩ + "d"⟨-1⟩)' } } },
  },
  {
    name: "Entropy, and posteriors of arcs",
    state: { e: "H[A]", i: { A: { t: '"ab" + "ac"⟨1⟩ + "d"⟨-1⟩' } }, v: "gradient" },
  },
  {
    name: "A rewrite rule",
    state: { e: 'out["banana" ∘ rewrite["a" : "o", "n", ε, "abno"]]', i: {} },
  },
  {
    name: "A sum that diverges, and why",
    state: { e: "LSE[A*]", i: { A: { t: '"a"⟨0.5⟩' } } },
  },
];
