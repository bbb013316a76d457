"""The libraries beside arcgrad: found when installed, and the same work done by them.

None is needed. Those that are missing are named once; one that fails or computes something else is left out of a case.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Array, Contender, Outcome

__all__ = ["PEERS", "find_peers", "gtn_trellis", "openfst", "openfst_distances", "torch_crf", "torch_ctc"]

# The module that each peer is imported as. `pywrapfst` is OpenFst's own wrapper, which comes with pynini.
PEERS = {"torch": "torch", "openfst": "pywrapfst", "gtn": "gtn", "k2": "k2", "torch_struct": "torch_struct"}


def find_peers(threads: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The modules of the peers that are there, set to that many threads, and for the others the reason."""
    found, missing = {}, {}
    for name, module in PEERS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found[name] = importlib.import_module(module)
        except Exception as error:  # a broken install is no reason to stop
            missing[name] = f"{type(error).__name__}: {error}"
    if "torch" in found:
        found["torch"].set_num_threads(threads)
    return found, missing


def torch_ctc(torch: Any, log_probs: Array, targets: Callable[[int], Array], frames_first: bool = True) -> Contender:
    """``torch.nn.functional.ctc_loss`` and its backward pass.

    Args:
        torch: the module.
        log_probs: (B, T, C), normalised.
        targets: number of the call → (B, L) labels.
        frames_first: whether the log-probabilities lie in memory as (T, B, C), torch's own layout, or as given.
    """
    given = torch.from_numpy(log_probs)
    if frames_first:
        leaf = given.transpose(0, 1).contiguous().requires_grad_()
    else:
        leaf = given.clone().requires_grad_()
    batch, n_frames, _ = log_probs.shape
    input_lengths = torch.full((batch,), n_frames, dtype=torch.long)

    def call(step: int) -> Any:
        labels = torch.from_numpy(targets(step))
        target_lengths = torch.full((batch,), labels.shape[1], dtype=torch.long)
        shown = leaf if frames_first else leaf.transpose(0, 1)
        loss = torch.nn.functional.ctc_loss(shown, labels, input_lengths, target_lengths, reduction="none")
        leaf.grad = None
        loss.sum().backward()
        return loss.detach(), leaf.grad

    def outcome(raw: Any) -> Outcome:
        loss, gradient = raw
        return Outcome.of(loss.numpy(), {"X": (gradient.transpose(0, 1) if frames_first else gradient).numpy()})

    return Contender(call, outcome)


def torch_crf(torch: Any, scores: Array, transitions: Array) -> Contender:
    """A linear chain as one writes it in torch: a loop over frames of logsumexp over (B, tags, tags), and autograd.

    Args:
        torch: the module.
        scores: (B, T, tags).
        transitions: (tags, tags), from and to.
    """
    frames = torch.from_numpy(scores).clone().requires_grad_()
    weights = torch.from_numpy(transitions).to(frames.dtype).clone().requires_grad_()

    def call(step: int) -> Any:
        frames.grad = weights.grad = None
        alpha = frames[:, 0]
        for t in range(1, frames.shape[1]):
            alpha = torch.logsumexp(alpha[:, :, None] + weights, dim=1) + frames[:, t]
        total = torch.logsumexp(alpha, dim=1)
        total.sum().backward()
        return total.detach(), frames.grad, weights.grad

    return Contender(call, lambda raw: Outcome.of(raw[0].numpy(), {"X": raw[1].numpy(), "transitions": raw[2].numpy()}))


def torch_struct_crf(torch: Any, torch_struct: Any, scores: Array, transitions: Array) -> Contender:
    """torch-struct's LinearChainCRF; its potentials are (B, T − 1, tags to, tags from)."""
    # It lacks what torch validates by, of which torch warns at every call.
    torch.distributions.Distribution.set_default_validate_args(False)
    frames = torch.from_numpy(scores).clone().requires_grad_()
    weights = torch.from_numpy(transitions).to(frames.dtype).clone().requires_grad_()

    def call(step: int) -> Any:
        frames.grad = weights.grad = None
        potentials = weights.T + frames[:, 1:, :, None]
        first = torch.zeros_like(potentials)
        first[:, 0] = frames[:, 0, None, :]
        total = torch_struct.LinearChainCRF(potentials + first).partition
        total.sum().backward()
        return total.detach(), frames.grad, weights.grad

    return Contender(call, lambda raw: Outcome.of(raw[0].numpy(), {"X": raw[1].numpy(), "transitions": raw[2].numpy()}))


def openfst(fst: Any, graph: ag.Graph, arc_type: str = "standard", sort: str | None = None) -> Any:
    """A graph as an OpenFst VectorFst: ε is 0, labels one larger, costs for weights.

    Args:
        fst: the module ``pywrapfst``.
        graph: with one start state.
        arc_type: "standard" (tropical), "log" or "log64".
        sort: "ilabel" or "olabel": sort each state's arcs by it.
    """
    made = fst.VectorFst(arc_type)
    made.add_states(graph.n_states)
    one = fst.Weight.one(made.weight_type())
    costs: dict[float, Any] = {}
    columns = (graph.src, graph.ilabel + 1, graph.olabel + 1, -graph.arc_weight, graph.dst)
    made.set_start(int(graph.start[0]))
    for src, ilabel, olabel, cost, dst in zip(*(c.tolist() for c in columns), strict=True):
        weight = costs.get(cost)
        if weight is None:
            weight = costs[cost] = fst.Weight(made.weight_type(), cost)
        made.add_arc(src, fst.Arc(ilabel, olabel, weight, dst))
    for state in graph.accept.tolist():
        made.set_final(state, one)
    if sort is not None:
        made.arcsort(sort)
    return made


def openfst_distances(fst: Any, graph: ag.Graph) -> Contender:
    """OpenFst's shortest distances in the log semiring, from the start and to the end: forward and backward scores."""
    made = openfst(fst, graph, "log64")

    def call(step: int) -> Any:
        forward = fst.shortestdistance(made, delta=1e-9)
        backward = fst.shortestdistance(made, delta=1e-9, reverse=True)
        return forward, backward

    return Contender(call, lambda raw: Outcome.of(-float(raw[1][int(graph.start[0])])))


def gtn_graph(gtn: Any, graph: ag.Graph) -> Any:
    """A graph as GTN's, with gradients."""
    made = gtn.Graph(True)
    starts, accepts = set(graph.start.tolist()), set(graph.accept.tolist())
    for state in range(graph.n_states):
        made.add_node(state in starts, state in accepts)
    columns = (graph.src, graph.dst, graph.ilabel, graph.olabel, graph.arc_weight)
    for src, dst, ilabel, olabel, weight in zip(*(c.tolist() for c in columns), strict=True):
        made.add_arc(src, dst, ilabel, olabel, weight)
    return made


def gtn_trellis(gtn: Any, graphs: Callable[[int], Sequence[ag.Graph]], scores: Array, sign: float = 1.0) -> Contender:
    """GTN's forward score of each graph intersected with the frames of its item, and its backward pass.

    Args:
        gtn: the module.
        graphs: number of the call → a graph for each item.
        scores: (B, T, C); for ``sign`` −1, normalised.
        sign: −1: negative log-likelihoods.
    """
    batch, n_frames, n_columns = scores.shape
    kept: dict[int, Any] = {}

    def converted(graph: ag.Graph) -> Any:
        if id(graph) not in kept:
            kept.clear()
            kept[id(graph)] = (graph, gtn_graph(gtn, graph))
        made = kept[id(graph)][1]
        made.zero_grad()
        return made

    def call(step: int) -> Any:
        values, gradients = [], []
        for item, graph in enumerate(graphs(step)):
            frames = gtn.linear_graph(n_frames, n_columns, True)
            frames.set_weights(scores[item].reshape(-1).astype(np.float32).ctypes.data)
            total = gtn.forward_score(gtn.intersect(converted(graph), frames))
            gtn.backward(gtn.negate(total) if sign < 0 else total)
            values.append(sign * total.item())
            gradients.append(frames.grad().weights_to_numpy())
        return values, gradients

    def outcome(raw: Any) -> Outcome:
        values, gradients = raw
        by_frames = np.stack(gradients).reshape(batch, n_frames, n_columns)
        # The loss's normaliser, 0 for normalised scores, has the probabilities for its gradient.
        return Outcome.of(values, {"X": by_frames + (np.exp(scores) if sign < 0 else 0.0)})

    return Contender(call, outcome)


def k2_ctc(k2: Any, torch: Any, log_probs: Array, targets: Callable[[int], Array]) -> Contender:
    """k2's CTC loss and its backward pass, on the CPU."""
    frames = torch.from_numpy(log_probs).clone().requires_grad_()
    batch, n_frames, _ = log_probs.shape
    segments = torch.tensor([[item, 0, n_frames] for item in range(batch)], dtype=torch.int32)

    def call(step: int) -> Any:
        frames.grad = None
        graphs = k2.ctc_graph(targets(step).tolist(), modified=False)
        dense = k2.DenseFsaVec(frames, segments)
        loss = k2.ctc_loss(graphs, dense, output_beam=1e10, reduction="none")
        loss.sum().backward()
        return loss.detach(), frames.grad

    def outcome(raw: Any) -> Outcome:
        loss, gradient = raw
        return Outcome.of(loss.numpy(), {"X": gradient.numpy() + np.exp(log_probs)})

    return Contender(call, outcome)
