"""One evaluation, from checked inputs to values and gradients."""
