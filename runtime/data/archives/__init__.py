"""Files of several graphs, each under a key: OpenFst's FAR, Kaldi's text archives, arcgrad's own ``.npz``.

``files`` chooses the form, and reads and writes; each form is a module of its own.
"""
