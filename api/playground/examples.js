// Examples to start from. Each is a state of the page: equation, inputs, symbols, tab.

export const EXAMPLES = [
  {
    name: "What a reader saw, and two words",
    state: {
      e: 'LSE[("cat" + "car") ∘ X]',
      i: { X: { t: "0 1 c\n1 2 a -0.2\n1 2 o -1.7\n2 3 t -0.5\n2 3 r -1.5\n2 3 n -1.7\n3" } },
    },
  },
  {
    name: "The textbook's LSE[(A1 + A2) ∘ X*]",
    state: {
      e: "LSE[(A1 + A2) ∘ X*]",
      i: { A1: { t: "0 1 a 0.5; 1 2 b; 2" }, A2: { t: "0 1 b -0.5; 1 2 a; 2" }, X: { t: "0 1 a -1; 0 1 b -0.5; 1" } },
      v: "computation",
    },
  },
  {
    name: "CTC: a network's scores and a target",
    state: {
      e: 'blank = "_"   # the target is ab\nY = blank* "a"⁺ blank* "b"⁺ blank*\nLSE[X] - LSE[X ∘ Y]',
      i: { X: { t: "0.2 1.5 0.1\n0.9 0.8 0.2\n1.4 0.1 0.6\n0.1 0.2 1.9", f: "scores" } },
      s: "_ 0\na 1\nb 2",
      v: "gradient",
    },
  },
  { name: "A regular expression's language", state: { e: 're"(cat|dog)s?"', i: {} } },
  {
    name: "Edit distance: the best alignment",
    state: {
      e: '# each edit costs 1; letters that stay cost nothing\nedits = (stay + insert + delete + change)*\nrmeps[PATH["saw" ∘ edits ∘ "was"]]',
      i: {
        stay: { t: '"a" + "s" + "w"' },
        insert: { t: '(ε : ("a" + "s" + "w"))⟨-1⟩' },
        delete: { t: '(("a" + "s" + "w") : ε)⟨-1⟩' },
        change: { t: '(("a" + "s" + "w") : ("a" + "s" + "w"))⟨-1⟩' },
      },
    },
  },
  {
    name: "The three best paths",
    state: { e: "NBEST[A, 3]", i: { A: { t: "0 1 a 0.5\n0 1 b 0.3\n1 2 c 1\n1 2 d -1\n2" } } },
  },
  {
    name: "The entropy of a graph, and its gradient",
    state: { e: "H[A]", i: { A: { t: "0 1 a\n1 3 b\n0 2 a 1\n2 3 c\n0 3 d -1\n3" } } },
  },
  { name: "A rewrite rule", state: { e: 'rmeps[out["banana" ∘ rewrite["a" : "o", "n", ε, "abno"]]]', i: {} } },
  {
    name: "A sum that diverges, and why",
    state: { e: "LSE[A*]", i: { A: { t: "0 1 a 0.5; 1" } } },
  },
];
